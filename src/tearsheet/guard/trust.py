"""Whether an answer is of now: by the guard's own clock, and by what was answered before."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tearsheet.guard.reading import ReceivedVerdict, UntrustedResponseError

#: How far `as_of` may go back from one answer to the next, as machines' clocks differ a little.
_BACK = timedelta(seconds=2)


@dataclass(frozen=True)
class ValidationLimits:
    """How far clocks may differ, and how old the data may be; None leaves that to the service."""

    max_skew_s: float
    max_data_age_s: float | None


class ResponseValidator:
    """Remembers what it takes to see that answers go back, and holds each against it."""

    def __init__(self, bounds: ValidationLimits, sequence: int, as_of: datetime | None) -> None:
        self._bounds = bounds
        self.sequence = sequence
        self.as_of = as_of
        self._etag: tuple[str, int] | None = None

    def check(self, seen: ReceivedVerdict, etag: str | None, now: datetime) -> None:
        """Take an answer as the newest. Raises UntrustedError where it is not of now."""
        self._check_clock(seen, now)
        self._check_order(seen)
        if self._etag is not None and etag == self._etag[0] and seen.sequence != self._etag[1]:
            raise UntrustedResponseError("etag_misuse", f"{etag} names sequence {self._etag[1]} too")
        self._check_age(seen, now)
        self.sequence, self.as_of = seen.sequence, seen.as_of
        self._etag = None if etag is None else (etag, seen.sequence)

    def _check_clock(self, seen: ReceivedVerdict, now: datetime) -> None:
        behind = (now - seen.as_of).total_seconds()
        if behind > self._bounds.max_skew_s:
            raise UntrustedResponseError("stale_answer", f"it is of {behind:.1f} s ago")
        if -behind > self._bounds.max_skew_s:
            raise UntrustedResponseError("clock_skew", f"it is of {-behind:.1f} s ahead of this clock")

    def _check_order(self, seen: ReceivedVerdict) -> None:
        if seen.sequence < self.sequence:
            raise UntrustedResponseError("sequence_back", f"{seen.sequence} after {self.sequence}")
        if self.as_of is not None and seen.as_of < self.as_of - _BACK:
            raise UntrustedResponseError("as_of_back", f"{seen.as_of} after {self.as_of}")

    def _check_age(self, seen: ReceivedVerdict, now: datetime) -> None:
        most = self._bounds.max_data_age_s
        if most is None:
            return
        if seen.data_age_s is None:
            raise UntrustedResponseError("stale_data", "nothing was ever heard of the account")
        # written not to be fooled by NaN
        age = seen.data_age_s + max((now - seen.as_of).total_seconds(), 0)
        if not 0 <= age <= most:
            raise UntrustedResponseError("stale_data", f"last heard {age:.1f} s ago, allowed are {most:g}")
