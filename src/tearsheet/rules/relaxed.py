"""Comparison of two limit files: which limits become less strict, which needs the risk permission."""

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from tearsheet.rules.limit import AccountLimits, Limit, Limits


def find_relaxed_limits(old: Limits, new: Limits) -> list[str]:
    """Describe every limit that is not provably as strict as before.

    Provably stricter are: a lower threshold, a new limit, a shorter `stale_after`, and
    `on_unknown: breach`. Every other change counts as relaxed.
    """
    relaxed = [f"default: {change}" for change in _describe(old.default, new.default)]
    for account in sorted({*old.accounts, *new.accounts}):
        changes = _describe(old.for_account(account), new.for_account(account))
        relaxed += [f"{account}: {change}" for change in changes]
    return relaxed


def _describe(old: AccountLimits, new: AccountLimits) -> Iterator[str]:
    if old.limits and not _is_at_most(new.stale_after, old.stale_after):
        yield "stale_after is increased"
    for limit in old.limits:
        other = new.get(limit.name)
        if other is None:
            yield f"{limit.name} is gone"
        elif other.threshold > limit.threshold:
            yield f"{limit.name} is {other.threshold:f} instead of {limit.threshold:f}"
        elif not _is_at_least_as_strict(limit, other):
            yield f"{limit.name} has other terms"


def _is_at_least_as_strict(old: Limit, new: Limit) -> bool:
    strictest = replace(old, threshold=new.threshold)
    if new.on_unknown == "breach":
        strictest = replace(strictest, on_unknown="breach")
    return new == strictest


def _is_at_most(new: timedelta | None, old: timedelta | None) -> bool:
    return old is None or (new is not None and new <= old)
