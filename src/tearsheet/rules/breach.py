"""Breaches and releases: a breach stays active for its reset period, unless it is released.

Both are stored append-only elsewhere. The first breach of an account, limit and period has number 1;
another one is possible only after a release. The id is a hash of these, so that detecting the same
breach again is idempotent.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct, field

from tearsheet.errors import UsageError
from tearsheet.rules.limit import LIMITS, LimitName, period_start
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import digest


class Breach(Struct, frozen=True, kw_only=True):
    """Breach of a limit, with time, value and fill; immutable."""

    id: str
    account: str
    limit: LimitName
    trading_day: date
    period_start: date | None
    number: int
    at: datetime
    value: Decimal
    threshold: Decimal
    fill_key: str | None


class Release(Struct, frozen=True, kw_only=True):
    """Manual end of a breach. The limit is breached again beyond `allowed_value`."""

    breach_id: str
    at: datetime
    actor: str
    reason: str
    allowed_value: Decimal = field(name="upto")


def breach_id(account: str, limit: LimitName, start: date | None, number: int) -> str:
    """Return the id of the n-th breach of an account's limit in a period."""
    return digest(f"{account}\0{limit}\0{start or ''}\0{number}")


def make_release(
    breach: Breach, *, value: Decimal, actor: str, reason: str, at: datetime, allowance: Decimal = ZERO
) -> Release:
    """Create a release of an active breach whose limit is now at `value`.

    The limit is breached again beyond max(value, threshold) + allowance. Raises UsageError if actor
    or reason is blank, or the allowance is negative.
    """
    if not actor.strip() or not reason.strip():
        raise UsageError("a name and a reason are required", "state who releases the breach and why")
    if allowance < 0:
        raise UsageError(f"the allowance must be 0 or more: {allowance}", "use 0 to allow nothing more")
    with exact():
        allowed_value = max(value, breach.threshold) + allowance
    return Release(
        breach_id=breach.id, at=at, actor=actor.strip(), reason=reason.strip(), allowed_value=allowed_value
    )


class BreachRegister:
    """Breaches and releases of one account."""

    def __init__(self, breaches: Iterable[Breach] = (), releases: Iterable[Release] = ()) -> None:
        self._breaches: dict[tuple[LimitName, date | None], list[Breach]] = {}
        self._releases = {release.breach_id: release for release in releases}
        for breach in sorted(breaches, key=lambda b: b.number):
            self.add(breach)

    def __bool__(self) -> bool:
        return bool(self._breaches)

    def has_breach(self, limit: LimitName, start: date | None) -> bool:
        """Return whether a limit was ever breached in a period."""
        return (limit, start) in self._breaches

    def add(self, breach: Breach) -> None:
        """Add a breach; one with a known id is ignored."""
        breaches = self._breaches.setdefault((breach.limit, breach.period_start), [])
        if all(one.id != breach.id for one in breaches):
            breaches.append(breach)

    def release(self, release: Release) -> None:
        """Add a release; only the first one of a breach counts."""
        self._releases.setdefault(release.breach_id, release)

    def active(self, limit: LimitName, start: date | None) -> Breach | None:
        """Return the breach of a limit in a period, or in a later one, that is not released, or None.

        A breach of a later period was found by a clock ahead of this one; a breach takes precedence
        over a doubt about the clock.
        """
        periods = [(limit, start)]
        if start is not None:
            periods += [one for one in self._breaches if one[0] == limit and one[1] and one[1] > start]
        found = (one for period in periods for one in self._breaches.get(period, ()))
        return next((breach for breach in found if breach.id not in self._releases), None)

    def latest_release(self, limit: LimitName, start: date | None) -> Release | None:
        """Return the release of the latest breach of a limit and period, or None."""
        breaches = self._breaches.get((limit, start))
        return self._releases.get(breaches[-1].id) if breaches else None

    def next_number(
        self, limit: LimitName, start: date | None, at: datetime
    ) -> tuple[int, Breach | None, Release | None]:
        """Return the number of the current or next breach at an instant, the breach, and the release before."""
        previous, number = None, 1
        for breach in self._breaches.get((limit, start), ()):
            release = self._releases.get(breach.id)
            if release is None or release.at > at:
                return number, breach, previous
            previous, number = release, number + 1
        return number, None, previous

    def active_in(self, session: date) -> list[Breach]:
        """Return all breaches that are active in a session."""
        return [
            breach
            for (limit, start), breaches in self._breaches.items()
            for breach in breaches
            if breach.id not in self._releases and is_active_in(limit, start, session)
        ]


def is_active_in(limit: LimitName, start: date | None, session: date) -> bool:
    """Return whether a breach of the period that started on `start` is still active in a session."""
    begun = period_start(LIMITS[limit].period, session)
    return start is None or begun is None or start >= begun
