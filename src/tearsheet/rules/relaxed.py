"""What becomes less strict when limits change; whoever may tighten them may not always loosen them."""

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from tearsheet.rules.limit import AccountLimits, Limit, Limits


def find_relaxed_limits(old: Limits, new: Limits) -> list[str]:
    """Every limit that is not provably as strict as before, in words; nothing where all are.

    Only a lower threshold, a limit that is new, a shorter time until data is stale, and being flat while
    nobody knows are taken for stricter; all else might not be.
    """
    named = sorted({*old.accounts, *new.accounts})
    found = [f"default: {words}" for words in _describe(old.default, new.default)]
    for account in named:
        found += [
            f"{account}: {words}" for words in _describe(old.for_account(account), new.for_account(account))
        ]
    return found


def _describe(old: AccountLimits, new: AccountLimits) -> Iterator[str]:
    if old.limits and not _is_shorter_range(new.stale_after, old.stale_after):
        yield "stale_after is longer"
    for limit in old.limits:
        other = new.get(limit.name)
        if other is None:
            yield f"{limit.name} is gone"
        elif other.threshold > limit.threshold:
            yield f"{limit.name} is {other.threshold:f} instead of {limit.threshold:f}"
        elif not _is_at_least_as_strict(limit, other):
            yield f"{limit.name} has other terms"


def _is_at_least_as_strict(old: Limit, new: Limit) -> bool:
    safer = replace(old, threshold=new.threshold)
    if new.on_unknown == "breach":
        safer = replace(safer, on_unknown="breach")
    return new == safer


def _is_shorter_range(new: timedelta | None, old: timedelta | None) -> bool:
    return old is None or (new is not None and new <= old)
