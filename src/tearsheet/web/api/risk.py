"""Limit status of accounts: verdicts, breaches, releases and heartbeats of data sources."""

from typing import Any

from flask import Response, request
from msgspec.structs import asdict, replace

from tearsheet.app.limits.preset_list import PresetView, preset_list
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import UsageError
from tearsheet.rules.limit import LIMITS
from tearsheet.rules.status import AccountStatus
from tearsheet.rules.verdict import UNLIMITED_REASON, Verdict, worst_state
from tearsheet.store.list_values import PageCursor
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import BY, NOTE, cursor_from, idempotency_key, is_valid_text, json_object
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.parameters import NAME, cursor_of
from tearsheet.web.http.plain_answers import PlainAnswer
from tearsheet.web.http.responses import success_body, success_response
from tearsheet.web.schemas import risk as answers
from tearsheet.web.schemas.answer import Answer, PageAnswer
from tearsheet.web.server.context import AppContext, QueryContext
from tearsheet.web.server.guard_watch import GuardMonitor

_ACCOUNT = {"type": "string", "pattern": NAME}
_ACCOUNT_NEEDED = replace(parameters.ACCOUNT, description="The account.", required=True)
_PRESET = parameters.text_of("name", "A firm, a preset such as topstep/combine-50k, or one with its version.")
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
    "`account`: the worst state, the verdict of every account that has limits, and in `unlimited` the "
    "accounts that trade without any. What breaks a limit is kept before it is answered. Anything but "
    "200 says nothing about the account: treat it as unknown."
)


def add_risk(api: Api, app_context: AppContext, monitor: GuardMonitor | None) -> None:
    """Add the operations under `/api/risk`; answered verdicts are polls of guards."""
    api.add_plain(
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
        lambda environ, account: _verdict(app_context, monitor, account),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/risk/status",
            tag="Risk",
            title="What is left to pass, and what is nearest to break",
            description="Every limit with its numbers and how they came, every objective, and the preset of a firm "
            "with its age. `state` is that of the verdict.",
            parameters=(_ACCOUNT_NEEDED,),
            response_type=Answer[AccountStatus],
            statuses=(422,),
        ),
        lambda account: _status(app_context, account),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/risk/presets",
            tag="Risk",
            title="The rules of firms that can be chosen, with source and date",
            parameters=(_PRESET,),
            response_type=Answer[tuple[PresetView, ...]],
            statuses=(404, 422),
        ),
        lambda name: success_response(app_context.timestamp, preset_list(name, app_context.now.date())),
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
        lambda account, limit, cursor: _breaches(app_context, account, limit, cursor),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/risk/releases",
            tag="Risk",
            title="Lift a breach",
            description="The limit breaks again where its value worsens. Who and why is kept for ever. "
            "It needs a token made with `--risk`: whoever trades does not lift their own breach.",
            level="risk",
            body=Body(("application/json",), _RELEASE, _EXAMPLE),
            response_type=Answer[answers.ReleaseResult],
            statuses=(400, 404, 409, 411, 413, 415, 422),
        ),
        lambda: _release(app_context),
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
        lambda: _record_heartbeat(app_context),
    )


_EXAMPLE = {
    "account": "Sim101",
    "limit": "daily_loss",
    "actor": "kim",
    "reason": "a mistaken order, corrected with the broker",
}


def _verdict(app_context: AppContext, monitor: GuardMonitor | None, account: str | None) -> PlainAnswer:
    with app_context.query() as query:
        verdicts = account_verdicts(query.tracker)
        found: object
        if account is not None:
            found = verdicts.for_account(account, query.sync_errors)
        else:
            found = _all_verdicts(app_context, query, verdicts.all(query.sync_errors))
        body = success_body(app_context.timestamp, found)
    if monitor is not None:
        monitor.record_poll(account)
    return PlainAnswer(200, body)


def _status(app_context: AppContext, account: str) -> Response:
    with app_context.query() as query:
        found = account_verdicts(query.tracker).status(account, query.sync_errors)
        return success_response(app_context.timestamp, found)


def _all_verdicts(app_context: AppContext, query: QueryContext, found: list[Verdict]) -> answers.VerdictList:
    return answers.VerdictList(
        state=worst_state(found),
        must_be_flat=any(one.must_be_flat for one in found),
        as_of=app_context.now,
        sequence=max((one.sequence for one in found), default=query.tracker.revision),
        accounts=tuple(found),
        unlimited=tuple(
            answers.UnlimitedAccount(account=account, reason=UNLIMITED_REASON)
            for account in account_verdicts(query.tracker).unlimited_accounts()
        ),
    )


def _breaches(
    app_context: AppContext, account: str | None, limit: int, cursor: PageCursor | None
) -> Response:
    after = cursor_from(cursor, str)
    with app_context.query() as query:
        page = account_verdicts(query.tracker).breach_history(account, limit, after)
    return success_response(app_context.timestamp, page.items, next_cursor=cursor_of(page.next))


def _release(app_context: AppContext) -> Response:
    content = json_object("account", "limit", "actor", "reason")
    account = _account_of(content)
    limit, actor, reason = (content.get(name) for name in ("limit", "actor", "reason"))
    if not isinstance(limit, str) or limit not in LIMITS:
        raise HttpError(422, f"limit is {str(limit)[:50]!r}", f"allowed are {', '.join(LIMITS)}")
    if not is_valid_text(actor, BY) or not is_valid_text(reason, NOTE) or not str(reason).strip():
        raise HttpError(422, "a name and a reason are required", "1 to 100 and 1 to 1000 characters")
    try:
        with app_context.query() as query:
            record, repeated = account_verdicts(query.tracker).release(
                account,
                limit,
                str(actor),
                str(reason),
                key=idempotency_key(app_context.access.client_name(request)),
            )
    except UsageError as error:  # a key that was already used for a different request
        raise HttpError(409, error.message, error.hint) from None
    data: dict[str, Any] = asdict(record) | {"repeated": repeated}
    return success_response(app_context.timestamp, data, 200 if repeated else 201)


def _record_heartbeat(app_context: AppContext) -> Response:
    account = _account_of(json_object("account"))
    idempotency_key("")  # a repeated heartbeat is harmless, but an invalid key is an error
    with app_context.tracker_pool.borrow() as tracker:
        account_verdicts(tracker).record_heartbeat(account)
    return success_response(app_context.timestamp, {"account": account, "heard_at": app_context.now})


def _account_of(content: dict[str, Any]) -> str:
    account = content.get("account")
    if not is_valid_text(account, NAME):
        raise HttpError(422, f"account is {str(account)[:50]!r}", "allowed is a text of 1 to 200 characters")
    return str(account)
