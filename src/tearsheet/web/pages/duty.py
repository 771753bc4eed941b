"""Alerts and settings: the pages on which somebody does something."""

from collections.abc import Callable
from typing import Any

from flask import Response, redirect, request

from tearsheet.errors import SettingsError, UsageError
from tearsheet.rules import Targets
from tearsheet.settings import SETTINGS
from tearsheet.tracker.listing import Place
from tearsheet.tracker.promises import NAMES, Promises
from tearsheet.web import parameters
from tearsheet.web.pages.frame import Page, Pages, link
from tearsheet.web.parameters import cursor_of
from tearsheet.web.refusal import Refused

_A_PAGE = 50
_LONGEST = 200
_STATE = parameters.choice("state", "Those not over yet, or all.", "open", "all", default="open")
_SAID = parameters.choice("said", "What was just done.", "kept")
_WORDS = {
    "win_rate_target": ("Win rate", "percent of closed trades, 1 to 100"),
    "daily_pl_target": ("P&L a day", "money; a negative one is a floor, judged at once"),
    "trades_per_day_target": ("Trades a day", "at least so many"),
    "max_drawdown_target": ("Max drawdown", "money not above 0, such as -500"),
    "avg_risk_reward_target": ("Average risk-reward", "planned, such as 1.5"),
}


def add_duty(pages: Pages) -> None:
    """Add the pages on which somebody does something, and what they do."""
    pages.add(Page("/alerts", parameters=(_STATE, parameters.CURSOR)), _alerts(pages))
    pages.add(Page("/alerts/<alert>/acknowledge", "write", (_STATE,), "POST"), _acknowledge(pages))
    pages.add(Page("/settings", parameters=(_SAID,)), lambda said: _settings(pages, said))
    pages.add(Page("/settings/targets", "write", method="POST"), lambda: _write_targets(pages))


def _alerts(pages: Pages) -> Callable[..., Response]:
    def view(state: str, cursor: Place | None) -> Response:
        if cursor is not None and not isinstance(cursor.id, str):
            raise Refused(422, "parameter 'cursor' is one of another list", "begin at /alerts")
        with pages.served.asked() as asked:
            page = asked.tracker.alerts.page(_A_PAGE, cursor, only_open=state == "open")
            return pages.shown(
                "alerts.html", title="Alerts", page=page, state=state,
                next=cursor_of(page.next), accounts=(), given={},
            )  # fmt: skip

    return view


def _acknowledge(pages: Pages) -> Callable[..., Response]:
    def view(alert: str, state: str) -> Response:
        by, note = _said("by"), _said("note")
        if not by:
            raise Refused(422, "an acknowledgement says by whom", "write your name")
        with pages.served.asked() as asked:
            asked.tracker.alerts.acknowledge(alert, by, note or None, pages.served.now)
        response = redirect(link("/alerts", state=state), 303)
        assert isinstance(response, Response)
        return response

    return view


def _said(name: str) -> str:
    text = request.form.get(name, "").strip()
    if len(text) > _LONGEST or any(not c.isprintable() for c in text):
        raise Refused(
            422, f"{name} is too long or holds what cannot be printed", "1 to 200 characters"
        )
    return text


def _settings(
    pages: Pages, said: str | None, problem: SettingsError | UsageError | None = None
) -> Response:
    with pages.served.asked() as asked:
        promises = Promises(asked.tracker)
        try:
            targets = promises.targets()
        except SettingsError as error:
            targets, problem = Targets(), problem or error
        settings = asked.tracker.settings.redacted()
        form = request.form if request.method == "POST" else {}
        rows = [
            (name, *_WORDS[name], form.get(name, _as_written(getattr(targets, name))))
            for name in NAMES
        ]
        return pages.shown(
            "settings.html", 422 if form else 200, title="Settings", rows=rows,
            digest=promises.digest, file=asked.tracker.settings.targets_file.name, said=said,
            problem=problem, posted=bool(form), table=[(s, _in_words(settings.get(_KEPT_AS.get(s.key, s.key))))
                                    for s in SETTINGS],
            accounts=(), given={},
        )  # fmt: skip


#: Settings that are kept under another name than they are written.
_KEPT_AS = {"database_url": "ledger_path"}


def _in_words(value: str | None) -> str:
    return {None: "", "True": "yes", "False": "no"}.get(value, value or "")


def _as_written(value: Any) -> str:
    return "" if value is None else f"{value:f}"


def _write_targets(pages: Pages) -> Response:
    values = {name: request.form[name] for name in NAMES if name in request.form}
    try:
        with pages.served.trackers.lent() as tracker:
            Promises(tracker).write(values, request.form.get("digest", ""))
    except (SettingsError, UsageError) as error:
        return _settings(pages, None, error)
    response = redirect(link("/settings", said="kept"), 303)
    assert isinstance(response, Response)
    return response
