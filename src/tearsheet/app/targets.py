"""Targets of a context: loading of the targets file, and evaluation of summaries."""

import logging
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from tearsheet.app.alerts.evaluator import AlertCheck
from tearsheet.app.analysis.summaries import summarize
from tearsheet.app.context import LedgerContext
from tearsheet.app.parsed_file import ParsedFile
from tearsheet.errors import StoreError
from tearsheet.log import log_event, timed_event
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import (
    AlertEvent,
    Resolution,
    Rule,
    Targets,
    obsolete_reason,
    rolling_rules,
    target_rules,
)
from tearsheet.sources.config.content import says_nothing
from tearsheet.sources.config.targets import load_targets as parse_file
from tearsheet.trade.session import Window

_log = logging.getLogger("tearsheet")
_LOCK_TIMEOUT_S = 0.2


def load_targets(context: LedgerContext, *, store: bool = True) -> Targets:
    """Return the targets of the file, or the defaults if it is missing. Raises SettingsError, StoreError.

    A changed file is saved in the ledger, so that it is known if it vanishes; `store` waits for other writers to do so.
    """
    path, file = context.settings.targets_file, context.shared(_targets_file)
    targets = file.load()
    if not file.digest:
        log_event(
            _log,
            "tearsheet.targets",
            reason=f"no targets file at {path}: only the risk/reward rule is checked",
        )
    elif not (file.is_stored or context.read_only):
        _store(context, file, patient=store)
    return targets


def _store(context: LedgerContext, file: ParsedFile[Targets], *, patient: bool) -> None:
    if patient:
        with context.ledger.writing():
            file.store()
        return
    with suppress(StoreError), context.ledger.lock_timeout(_LOCK_TIMEOUT_S), context.ledger.writing():
        file.store()


def _targets_file(context: LedgerContext) -> ParsedFile[Targets]:
    path = context.settings.targets_file
    return ParsedFile(context.ledger, path, "targets", Targets, lambda path: parse_file(path)[0], _find_loss)


def _find_loss(last: Targets, new: Targets, text: str) -> str | None:
    return "has nothing in it any more" if last != Targets() and says_nothing(text) else None


def check_targets(context: LedgerContext, summary: PerformanceSummary, targets: Targets) -> AlertCheck:
    """Evaluate a summary by the targets, and the last trades of its scope by the rolling rules.

    Alerts raised or resolved since the last evaluation are appended to the alerts file.
    """
    with timed_event(_log, "tearsheet.alerts") as event:
        result = context.alerts.evaluate(_checks(context, summary, targets))
        over = context.alerts.resolve_obsolete(_obsolete_reason(context, targets), context.now)
        ended = {alert.id for alert in over}
        result = replace(
            result,
            resolved=(*result.resolved, *over),
            open=tuple(alert for alert in result.open if alert.id not in ended),
        )
        event.add(
            rules=len(result.findings),
            raised=len(result.raised),
            resolved=len(result.resolved),
            open=len(result.open),
            trades=summary.value("total_trades"),
        )
    return result


def check_due_targets(context: LedgerContext, summary: PerformanceSummary, targets: Targets) -> AlertCheck:
    """Evaluate the rules of a past window that could not be judged before its end."""
    due = [rule for rule in target_rules(targets) if rule.only_when_ended]
    return context.alerts.evaluate([(summary, due)])


def preview_targets(context: LedgerContext, summary: PerformanceSummary, targets: Targets) -> AlertCheck:
    """Evaluate a summary like `check_targets`, without a change of the alerts file."""
    return context.alerts.preview(_checks(context, summary, targets))


def _obsolete_reason(context: LedgerContext, targets: Targets) -> Callable[[AlertEvent], Resolution | None]:
    trading_day_of = context.settings.calendar.trading_day_of
    today, rolling_window = context.today, context.settings.alert_rolling_window

    def reason_of(alert: AlertEvent) -> Resolution | None:
        return obsolete_reason(alert, targets, rolling_window, today, trading_day_of(alert.raised_at))

    return reason_of


def _checks(
    context: LedgerContext, summary: PerformanceSummary, targets: Targets
) -> list[tuple[PerformanceSummary, list[Rule]]]:
    checks = [(summary, target_rules(targets))]
    for trades, rule in rolling_rules(targets, context.settings.alert_rolling_window):
        window = Window.last(trades, context.today)
        checks.append((summarize(context, window, summary.scope, summary.currency), [rule]))
    return checks
