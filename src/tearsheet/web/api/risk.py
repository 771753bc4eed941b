"""May an account go on trading? Verdicts, breaches and their releases, and heartbeats of a source."""

from typing import Any

from flask import Response
from msgspec.structs import asdict

from tearsheet.app.analysis.lists import PageCursor
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import UsageError
from tearsheet.rules.limit import LIMITS
from tearsheet.rules.verdict import Verdict, VerdictState, worst_state
from tearsheet.web.api.performance import json_success, to_float
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import BY, NOTE, cursor_from, idempotency_key, is_valid_text, json_object
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.metrics import Gauge
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.parameters import NAME, cursor_of
from tearsheet.web.schemas import risk as answers
from tearsheet.web.schemas.answer import Answer, PageAnswer
from tearsheet.web.server.context import AppContext, QueryContext, json_response

#: Levels as numbers, so that the larger one is the worse.
_RANKS: dict[VerdictState, int] = {"ok": 0, "warn": 1, "unknown": 2, "breach": 3}
_ACCOUNT = {"type": "string", "pattern": NAME}
_RELEASE = {
    "type": "object",
    "properties": {
        "account": _ACCOUNT,
        "limit": {"type": "string", "enum": list(LIMITS)},
        "actor": {"type": "string", "pattern": BY, "description": "Who lifts the breach."},
        "reason": {"type": "string", "pattern": NOTE, "description": "Why."},
    },
    "required": ["account", "limit", "actor", "reason"],
    "additionalProperties": False,
}
_HEARTBEAT = {
    "type": "object",
    "properties": {"account": _ACCOUNT},
    "required": ["account"],
    "additionalProperties": False,
}
_VERDICT_DESCRIPTION = (
    "`state` is ok, warn, breach or unknown, and every one of them is answered with 200. Without "
    "`account`: the worst state, and the verdict of every account that has limits. What breaks a "
    "limit is kept before it is answered. Anything but 200 says nothing about the account: treat it "
    "as unknown."
)


def add_risk(api: Api, served: AppContext) -> None:
    """Add the operations under `/api/risk`."""
    api.add(
        Operation(
            method="GET",
            path="/api/risk/verdict",
            tag="Risk",
            title="May this account go on trading?",
            description=_VERDICT_DESCRIPTION,
            parameters=(parameters.ACCOUNT,),
            response_type=(Answer[Verdict], Answer[answers.VerdictList]),
            statuses=(422,),
        ),
        lambda account: _verdict(served, account),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/risk/breaches",
            tag="Risk",
            title="Every breach and who lifted it, the newest first",
            parameters=(parameters.ACCOUNT, *parameters.PAGE),
            response_type=PageAnswer[answers.BreachView],
            statuses=(422,),
        ),
        lambda account, limit, cursor: _breaches(served, account, limit, cursor),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/risk/releases",
            tag="Risk",
            title="Lift a breach",
            description="The limit breaks again where its value worsens. Who and why is kept for ever. "
            "It needs a token made with `--desk`: whoever trades does not lift their own breach.",
            level="desk",
            body=Body(("application/json",), _RELEASE, _EXAMPLE),
            response_type=Answer[answers.ReleaseResult],
            statuses=(400, 404, 409, 411, 413, 415, 422),
        ),
        lambda: _release(served),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/risk/heartbeats",
            tag="Risk",
            title="Say that an account's source is there, though it has nothing new",
            level="write",
            body=Body(("application/json",), _HEARTBEAT, {"account": "Sim101"}),
            response_type=Answer[answers.Heartbeat],
            statuses=(400, 411, 413, 415, 422),
        ),
        lambda: _record_heartbeat(served),
    )


_EXAMPLE = {
    "account": "Sim101",
    "limit": "daily_loss",
    "actor": "kim",
    "reason": "a mistaken order, corrected with the broker",
}


def limit_gauges(asked: QueryContext) -> list[Gauge]:
    """Every limit and verdict as it stands now."""
    where = ("account", "limit")
    level = Gauge("limit_level", "0 ok, 1 warn, 2 unknown, 3 breach.", where)
    numbers = {
        "value": Gauge("limit_value", "How far a limit is used.", where),
        "threshold": Gauge("limit_threshold", "Where a limit breaks.", where),
        "headroom": Gauge("limit_headroom", "What is left until a limit breaks.", where),
    }
    state = Gauge("verdict_state", "0 ok, 1 warn, 2 unknown, 3 breach.", ("account",))
    flat = Gauge("must_be_flat", "Whether an account must be flat.", ("account",))
    for found in account_verdicts(asked.tracker).all(asked.sync_errors):
        state.set(_RANKS[found.state], found.account)
        flat.set(float(found.must_be_flat), found.account)
        for view in found.limits:
            level.set(_RANKS[view.level], found.account, view.name)
            for name, gauge in numbers.items():
                if (value := getattr(view, name)) is not None:
                    gauge.set(to_float(value), found.account, view.name)
    return [state, flat, level, *numbers.values()]


def _verdict(served: AppContext, account: str | None) -> Response:
    with served.query() as asked:
        verdicts = account_verdicts(asked.tracker)
        if account is not None:
            return json_response(json_success(served, verdicts.for_account(account, asked.sync_errors)))
        found = verdicts.all(asked.sync_errors)
        return json_response(json_success(served, _all_verdicts(served, asked, found)))


def _all_verdicts(served: AppContext, asked: QueryContext, found: list[Verdict]) -> answers.VerdictList:
    return answers.VerdictList(
        state=worst_state(found),
        must_be_flat=any(one.must_be_flat for one in found),
        as_of=served.now,
        sequence=max((one.sequence for one in found), default=asked.tracker.revision),
        accounts=tuple(found),
    )


def _breaches(served: AppContext, account: str | None, limit: int, cursor: PageCursor | None) -> Response:
    after = cursor_from(cursor, str)
    with served.query() as asked:
        page = account_verdicts(asked.tracker).breach_history(account, limit, after)
    return json_response(json_success(served, page.items, next_cursor=cursor_of(page.next)))


def _release(served: AppContext) -> Response:
    content = json_object("account", "limit", "actor", "reason")
    account = _account_of(content)
    limit, actor, reason = (content.get(name) for name in ("limit", "actor", "reason"))
    if limit not in LIMITS or not isinstance(limit, str):
        raise HttpError(422, f"limit is {str(limit)[:50]!r}", f"allowed are {', '.join(LIMITS)}")
    if not is_valid_text(actor, BY) or not is_valid_text(reason, NOTE) or not str(reason).strip():
        raise HttpError(422, "a release needs an actor and a reason", "1 to 100 and 1 to 1000 characters")
    try:
        with served.query() as asked:
            record, repeated = account_verdicts(asked.tracker).release(
                account, limit, str(actor), str(reason), key=idempotency_key()
            )
    except UsageError as error:  # a key that was used for another request
        raise HttpError(409, error.message, error.hint) from None
    data: dict[str, Any] = asdict(record) | {"repeated": repeated}
    return json_response(json_success(served, data), 200 if repeated else 201)


def _record_heartbeat(served: AppContext) -> Response:
    account = _account_of(json_object("account"))
    idempotency_key()  # a heartbeat may be sent twice, but not under a key that is none
    with served.trackers.borrow() as tracker:
        account_verdicts(tracker).record_heartbeat(account)
    return json_response(json_success(served, {"account": account, "heard_at": served.now}))


def _account_of(content: dict[str, Any]) -> str:
    account = content.get("account")
    if not is_valid_text(account, NAME):
        raise HttpError(422, f"account is {str(account)[:50]!r}", "allowed is a text of 1 to 200 characters")
    return str(account)
