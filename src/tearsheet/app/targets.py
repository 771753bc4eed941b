"""Targets of a context: reads their file and checks summaries against them."""

import logging

import msgspec

from tearsheet.app.alerts.evaluator import AlertCheck
from tearsheet.app.analysis.summaries import summarize
from tearsheet.app.book_rules import file_digest
from tearsheet.app.context import LedgerContext
from tearsheet.log import log_event, timed_event
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import Targets, rolling_rules, target_rules
from tearsheet.sources.config.targets import load_targets as parse_file
from tearsheet.trade.session import Window

_log = logging.getLogger("tearsheet")


def load_targets(context: LedgerContext) -> Targets:
    """Return the targets of the file, all null without one. Raises SettingsError.

    The parsed content is cached in the ledger by its digest, since importing PyYAML costs 25 ms.
    """
    ledger, path = context.ledger, context.settings.targets_file
    digest = file_digest(path)
    if digest and ledger.get("targets_digest") == digest:
        return msgspec.json.decode(ledger.get("targets") or "", type=Targets)
    targets, existed = parse_file(path)
    if not existed:
        log_event(_log, "tearsheet.targets", reason=f"no {path}: nothing is judged but risk-reward")
    elif not ledger.read_only:
        with ledger.writing():
            ledger.put("targets", msgspec.json.encode(targets).decode())
            ledger.put("targets_digest", digest)
    return targets


def check_targets(context: LedgerContext, summary: PerformanceSummary, targets: Targets) -> AlertCheck:
    """Check a summary against the targets, and the last trades of its scope against the rolling rules.

    Alerts that began or ended since the last check are appended to the alerts file.
    """
    with timed_event(_log, "tearsheet.alerts") as event:
        checks = [(summary, target_rules(targets))]
        for trades, rule in rolling_rules(targets, context.settings.alert_rolling_window):
            window = Window.last(trades, context.today)
            checks.append((summarize(context, window, summary.scope, summary.currency), [rule]))
        result = context.alerts.evaluate(checks)
        event.add(
            rules=len(result.findings),
            raised=len(result.raised),
            resolved=len(result.resolved),
            open=len(result.open),
            trades=summary.value("total_trades"),
        )
    return result
