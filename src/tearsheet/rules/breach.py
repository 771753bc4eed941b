"""A breach is latched: it stays for its period whatever comes later, unless somebody releases it.

Breaches and releases are facts that others keep append-only; here are their values and the rules
over them. The first breach of an account, limit and period is number 1; only after a release can
there be a second. Ids are made from these, so finding a breach again finds the same id.
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
    """The moment at which a limit was broken: by which fill, at what value; it is never changed."""

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
    """Somebody lifts a breach, for a reason. The limit breaks again beyond `allowed_value`."""

    breach_id: str
    at: datetime
    actor: str
    reason: str
    allowed_value: Decimal = field(name="upto")


def breach_id(account: str, limit: LimitName, start: date | None, number: int) -> str:
    """The id of the n-th breach of an account's limit in a period."""
    return digest(f"{account}\0{limit}\0{start or ''}\0{number}")


def make_release(
    breach: Breach, *, value: Decimal, actor: str, reason: str, at: datetime, allowance: Decimal = ZERO
) -> Release:
    """Lift a breach while its limit stands at `value`; it may worsen by `allowance` and no more.

    Raises UsageError without actor or reason, and for a negative allowance.
    """
    if not actor.strip() or not reason.strip():
        raise UsageError("a release needs an actor and a reason", "say who lifts it, and why")
    if allowance < 0:
        raise UsageError(f"an allowance is not below 0, was {allowance}", "0 allows nothing more")
    with exact():
        allowed_value = max(value, breach.threshold) + allowance
    return Release(
        breach_id=breach.id, at=at, actor=actor.strip(), reason=reason.strip(), allowed_value=allowed_value
    )


class BreachRegister:
    """What is known of an account's breaches and releases."""

    def __init__(self, breaches: Iterable[Breach] = (), releases: Iterable[Release] = ()) -> None:
        self._known: dict[tuple[LimitName, date | None], list[Breach]] = {}
        self._releases = {release.breach_id: release for release in releases}
        for breach in sorted(breaches, key=lambda b: b.number):
            self.add(breach)

    def __bool__(self) -> bool:
        return bool(self._known)

    def has_breach(self, limit: LimitName, start: date | None) -> bool:
        """Whether a limit was ever broken in a period."""
        return (limit, start) in self._known

    def add(self, breach: Breach) -> None:
        """Take in a breach; one that is known already stays as it was first told."""
        known = self._known.setdefault((breach.limit, breach.period_start), [])
        if all(one.id != breach.id for one in known):
            known.append(breach)

    def release(self, release: Release) -> None:
        """Take in a release; the first one of a breach counts."""
        self._releases.setdefault(release.breach_id, release)

    def active(self, limit: LimitName, start: date | None) -> Breach | None:
        """The breach of a limit and period that nobody has released."""
        for breach in self._known.get((limit, start), ()):
            if breach.id not in self._releases:
                return breach
        return None

    def latest_release(self, limit: LimitName, start: date | None) -> Release | None:
        """The release of the latest breach of a limit and period, None if it has none."""
        known = self._known.get((limit, start))
        return self._releases.get(known[-1].id) if known else None

    def next_number(
        self, limit: LimitName, start: date | None, at: datetime
    ) -> tuple[int, Breach | None, Release | None]:
        """At an instant: the number of the present episode, its breach if known, the release before."""
        before, number = None, 1
        for breach in self._known.get((limit, start), ()):
            release = self._releases.get(breach.id)
            if release is None or release.at > at:
                return number, breach, before
            before, number = release, number + 1
        return number, None, before

    def active_in(self, session: date) -> list[Breach]:
        """All breaches that hold in a session."""
        return [
            breach
            for (limit, start), known in self._known.items()
            for breach in known
            if breach.id not in self._releases and is_active_in(limit, start, session)
        ]


def is_active_in(limit: LimitName, start: date | None, session: date) -> bool:
    """Whether a breach of a period that began then still counts in a session."""
    return start is None or period_start(LIMITS[limit].period, session) == start
