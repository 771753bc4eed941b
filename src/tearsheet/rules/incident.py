"""Incidents of limits: a warning opens one, a breach escalates it, an `ok` limit resolves it.

There is at most one per account, limit and trading day; it is over with the day, week or month of its limit.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from msgspec.structs import replace

from tearsheet.rules.limit import LIMITS, LimitName, format_usage, limit_label, period_start
from tearsheet.rules.objective import ObjectiveView
from tearsheet.rules.target import AlertEvent
from tearsheet.rules.verdict import LimitView, Verdict
from tearsheet.trade.amount import ZERO
from tearsheet.trade.fill import digest

#: Returns the latest state of an episode's newest alert, or None.
LatestIncident = Callable[[str], AlertEvent | None]


def incident_events(verdict: Verdict, last: LatestIncident) -> Iterator[AlertEvent]:
    """Yield the incident changes that a verdict causes; an `unknown` verdict causes no change.

    The incident of a limit that was removed from the file ends with its breach.
    """
    for view in verdict.limits:
        incident = last(_episode_id(verdict.account, view.name))
        if incident is not None and incident.state != "resolved" and _is_over(incident, verdict, view):
            incident = replace(
                incident, state="resolved", resolved_at=verdict.as_of, resolution="window_over"
            )
            yield incident
        changed = _changed_incident(verdict, view, incident)
        if changed is not None:
            yield changed
    if any(reason.code in ("bad_limits", "other_limits") for reason in verdict.reasons):
        return  # an unreadable file, or one of two, does not show which limits were removed
    listed = {view.name for view in verdict.limits}
    for name in (name for name in LIMITS if name not in listed):
        incident = last(_episode_id(verdict.account, name))
        if incident is not None and incident.state != "resolved":
            yield replace(incident, state="resolved", resolved_at=verdict.as_of, resolution="limit_removed")


def objective_events(
    verdict: Verdict, objectives: Sequence[ObjectiveView], last: LatestIncident
) -> Iterator[AlertEvent]:
    """Yield an event for each objective that is met for the first time: it is told once, and nothing stays open."""
    for view in objectives:
        if view.state != "met" or view.value is None or view.threshold is None:
            continue
        parts = (verdict.account, view.name, view.threshold, view.since or "", view.by or "")
        episode = digest("\0".join(map(str, ("objective", *parts))))
        if last(episode) is not None:
            continue
        name = f"{limit_label(view.name)} of {verdict.account}"
        yield AlertEvent(
            id=digest(f"{episode}\0met"),
            episode=episode,
            kind="objective",
            rule=view.name,
            window="life",
            window_start=view.since.isoformat() if view.since else None,
            window_end=view.by.isoformat() if view.by else None,
            account=verdict.account,
            metric=view.name,
            actual=view.value,
            target=view.threshold,
            severity="warning",
            sample=0,
            message=f"{name} is met: {_short(view.value)} of {_short(view.threshold)} ({verdict.trading_day})",
            raised_at=verdict.as_of,
            state="resolved",
            resolved_at=verdict.as_of,
            currency=verdict.currency,
        )


def _short(value: Decimal) -> str:
    """Return a number without the digits that a quotient was cut after."""
    return f"{value:,.2f}" if value != value.to_integral_value() else f"{value:,.0f}"


def _is_over(incident: AlertEvent, verdict: Verdict, view: LimitView) -> bool:
    """Return whether the day, week or month of an open incident is over; a drawdown has none."""
    start = period_start(LIMITS[view.name].period, verdict.trading_day)
    return (
        start is not None and incident.window_start is not None and incident.window_start < start.isoformat()
    )


def _changed_incident(verdict: Verdict, view: LimitView, last: AlertEvent | None) -> AlertEvent | None:
    is_open = last is not None and last.state != "resolved"
    if view.level == "breach":
        return _escalate(verdict, view, last if is_open else _open(verdict, view, last))
    if view.level == "warn":
        return None if is_open else _open(verdict, view, last)
    if view.level == "ok" and last is not None and is_open:
        return replace(last, state="resolved", resolved_at=verdict.as_of)
    return None


def _open(verdict: Verdict, view: LimitView, last: AlertEvent | None) -> AlertEvent:
    """Create an incident, or reopen the one of this trading day."""
    episode = _episode_id(verdict.account, view.name)
    identity = digest(f"{episode}\0{verdict.trading_day}")
    start = period_start(LIMITS[view.name].period, verdict.trading_day)
    reopened = last if last is not None and last.id == identity else None
    return AlertEvent(
        id=identity,
        episode=episode,
        kind="limit",
        rule=view.name,
        window=LIMITS[view.name].period,
        window_start=start.isoformat() if start else None,
        window_end=None,
        account=verdict.account,
        metric=view.name,
        actual=view.value,
        target=view.threshold or ZERO,
        severity="warning",
        sample=0,
        message=_message(verdict, view),
        raised_at=reopened.raised_at if reopened else verdict.as_of,
        currency=verdict.currency,
    )


def _escalate(verdict: Verdict, view: LimitView, incident: AlertEvent | None) -> AlertEvent | None:
    """Return the incident with its breach, or None if it is escalated for that breach already."""
    assert incident is not None
    assert view.breach is not None
    if incident.breach_id == view.breach.id:
        return None
    return replace(
        incident,
        state="escalated",
        severity="critical",
        escalated_at=verdict.as_of,
        breach_id=view.breach.id,
        actual=view.breach.value,
        target=view.breach.threshold,
        message=_message(verdict, view),
        acknowledged_at=None,
        acknowledged_by=None,
        note=None,
    )


def _episode_id(account: str, name: LimitName) -> str:
    return digest(f"limit\0{account}\0{name}")


def _message(verdict: Verdict, view: LimitView) -> str:
    money = f" {verdict.currency}" if view.unit == "money" else ""
    name = f"{limit_label(view.name)} of {verdict.account}"
    if view.breach is not None:
        breach = view.breach
        value, threshold = (format_usage(view.name, one) for one in (breach.value, breach.threshold))
        return f"{name} is breached: {value} of {threshold}{money} ({breach.trading_day})"
    value, threshold = (format_usage(view.name, one) for one in (view.value, view.threshold))
    return f"{name} is at {value} of {threshold}{money} ({verdict.trading_day})"
