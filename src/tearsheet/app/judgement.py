"""Judgement of summaries by targets and limits: one result for the command line, files, API and pages."""

import logging
from collections.abc import Iterable
from functools import cached_property

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.app.feeds import summary_feeds
from tearsheet.app.targets import check_due_targets, check_targets, load_targets, preview_targets
from tearsheet.errors import MissingSourceError, SettingsError
from tearsheet.log import log_event
from tearsheet.performance.summary import (
    LimitStatus,
    PartialReason,
    PerformanceSummary,
    SourceAge,
    SummaryState,
)
from tearsheet.rules import AlertEvent, Targets, evaluate_targets
from tearsheet.rules.limit import limit_label
from tearsheet.rules.verdict import Verdict
from tearsheet.trade.fill import digest

_log = logging.getLogger("tearsheet")


class Judged(Struct, frozen=True):
    """A summary with its targets, limits and state, its open alerts, and those of them that are new."""

    summary: PerformanceSummary
    alerts: tuple[AlertEvent, ...]
    raised: tuple[AlertEvent, ...] = ()


class Due(Struct, frozen=True):
    """Open alerts of the targets that were due at the end of a window, and whether one of them is missed."""

    alerts: tuple[AlertEvent, ...]
    missed: bool


class _LoggedReasons:
    """The partial reasons that a context logged last."""

    def __init__(self, context: LedgerContext) -> None:
        self.last: tuple[object, ...] = ()


class Judge:
    """Targets and present limit verdicts of a ledger, applied to any number of its summaries.

    `stale` lists the reasons why the ledger may be behind its files. With `tolerant`, an invalid targets
    file makes the summaries partial; otherwise it raises SettingsError.
    """

    def __init__(
        self,
        context: LedgerContext,
        account: str | None = None,
        stale: Iterable[PartialReason] = (),
        *,
        tolerant: bool = False,
    ) -> None:
        stale = tuple(stale)
        self._context = context
        self._account = account
        self.verdicts = limit_verdicts(context, account, stale)
        self.limits = tuple(map(_status, self.verdicts))
        self.problems = (*stale, *_nobody_heard(context, self.verdicts), *_other_judges(context))
        stale = self.problems
        self._keeps_alerts = False
        try:
            self.targets = load_targets(context, store=not tolerant)
        except MissingSourceError as error:
            # alerts stay as they are: no target was lifted
            self.targets, self._keeps_alerts = Targets(), True
            self.problems = (*stale, PartialReason("source_gone", f"{error.message}: no target is evaluated"))
        except SettingsError as error:
            if not tolerant:
                raise
            self.targets = Targets()
            self.problems = (*stale, PartialReason("bad_targets", error.message))

    @property
    def unlimited(self) -> list[str]:
        """Return the accounts that trade without limits although others have some."""
        if not self.verdicts:
            return []
        from tearsheet.app.limits.verdicts import account_verdicts  # loaded by the verdicts

        found = account_verdicts(self._context).unlimited_accounts()
        return [one for one in found if self._account in (None, one)]

    @property
    def digest(self) -> str:
        """Return a hash of everything that a judgement has beyond the summary."""
        parts = (self.targets, self.problems, self.limits, self._context.alerts.version)
        return digest(json.encode(parts).decode())

    @cached_property
    def feeds(self) -> tuple[SourceAge, ...]:
        """Return what each source said last, and whether that is too long ago."""
        return summary_feeds(self._context, self._account, self.verdicts)

    def judge(self, summary: PerformanceSummary, *, save: bool = False) -> Judged:
        """Evaluate the targets and limits of a summary; `save` also raises and resolves its alerts."""
        evaluate = check_targets if save and not self._keeps_alerts else preview_targets
        run = evaluate(self._context, summary, self.targets)
        reasons = tuple(dict.fromkeys((*summary.partial_reasons, *self.problems)))
        evaluated = evaluate_targets(summary, self.targets, self._context.settings.alert_min_sample)
        judged = replace(
            evaluated,
            limits=self.limits,
            freshness=replace(summary.freshness, feeds=self.feeds),
            state=self._state(missed=run.breached, partial=bool(reasons)),
            partial=bool(reasons),
            partial_reasons=reasons,
        )
        self._warn(judged)
        return Judged(judged, (*run.open, *self._limit_alerts(summary)), run.raised)

    def judge_due(self, summary: PerformanceSummary) -> Due:
        """Evaluate the targets of a past window that were due at its end, and raise and resolve their alerts."""
        run = check_due_targets(self._context, summary, self.targets)
        return Due(run.open, run.breached)

    def _warn(self, summary: PerformanceSummary) -> None:
        """Log why a summary is partial, once for each state of the ledger."""
        logged = self._context.shared(_LoggedReasons)
        key = (self._context.state_id, summary.window.label, summary.partial_reasons)
        if not summary.partial or logged.last == key:
            return
        logged.last = key
        reasons = "; ".join(f"{reason.code}: {reason.detail}" for reason in summary.partial_reasons)
        log_event(
            _log, "tearsheet.partial", level=logging.WARNING, window=summary.window.label, reasons=reasons
        )

    def _state(self, *, missed: bool, partial: bool) -> SummaryState:
        states = {one.state for one in self.limits}
        if missed or "breach" in states:
            return "breach"
        if "unknown" in states:
            return "unknown"
        return "partial" if partial else "ok"

    def _limit_alerts(self, summary: PerformanceSummary) -> list[AlertEvent]:
        """Return the open alerts of limits: all of them if the window has today, else those of its days."""
        window = summary.window
        return [
            alert
            for alert in self._context.alerts.open_limit_alerts()
            if self._account in (None, alert.account)
            and (window.end >= self._context.today or window.starts_at <= alert.raised_at < window.ends_at)
        ]


def limit_verdicts(
    context: LedgerContext, account: str | None = None, stale: Iterable[PartialReason] = ()
) -> list[Verdict]:
    """Return the verdicts of all accounts that have limits, or of one of them. Raises StoreError."""
    if not (context.ledger.get("limits") or context.settings.targets_file.exists()):
        return []
    # deferred: the import costs 15 ms, which a ledger without limits does not need
    from tearsheet.app.limits.verdicts import account_verdicts

    return [one for one in account_verdicts(context).all(stale) if account in (None, one.account)]


def _nobody_heard(context: LedgerContext, verdicts: list[Verdict]) -> list[PartialReason]:
    """Return that limits are stated and judge nobody, as in a wrong folder or before the first source is read."""
    if verdicts or not (context.ledger.get("limits") or context.settings.targets_file.exists()):
        return []
    from tearsheet.app.limits.verdicts import account_verdicts  # as above

    if context.ledger.queries.accounts() or not account_verdicts(context).judges_nobody:
        return []
    return [PartialReason("nothing_heard", "limits are stated, and no account was ever heard of")]


def _other_judges(context: LedgerContext) -> list[PartialReason]:
    """Return that another process judges by another file, if one does: each would resolve the alerts of the other."""
    if not context.settings.targets_file.exists():
        return []
    from tearsheet.app.limits.verdicts import account_verdicts  # loaded by the verdicts

    error = account_verdicts(context).limits_error
    return [error] if error is not None and error.code == "other_limits" else []


def _status(verdict: Verdict) -> LimitStatus:
    reasons = tuple(
        PartialReason(
            reason.code, f"{limit_label(reason.limit)}: {reason.detail}" if reason.limit else reason.detail
        )
        for reason in verdict.reasons
    )
    return LimitStatus(
        account=verdict.account,
        state=verdict.state,
        must_be_flat=verdict.must_be_flat,
        trading_day=verdict.trading_day,
        reasons=reasons,
    )
