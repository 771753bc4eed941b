"""Freshness checks of a verdict: against the guard's clock and against earlier responses."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tearsheet.guard.verdict import ReceivedVerdict, UntrustedResponseError

#: Tolerance for `as_of` going back between responses: server clocks differ slightly.
_AS_OF_TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True)
class ValidationLimits:
    """Maximum clock skew and data age in seconds; no maximum age leaves that check to the server."""

    max_skew_s: float
    max_data_age_s: float | None


class ResponseValidator:
    """Checks each verdict against the highest sequence, latest as_of and last ETag so far."""

    def __init__(self, limits: ValidationLimits, sequence: int, as_of: datetime | None) -> None:
        self._limits = limits
        self.sequence = sequence
        self.as_of = as_of
        self._etag: tuple[str, int] | None = None

    def check(self, verdict: ReceivedVerdict, etag: str | None, now: datetime) -> None:
        """Accept a verdict as the newest. Raises UntrustedResponseError if it is stale or out of order."""
        self._check_clock(verdict, now)
        self._check_order(verdict)
        if self._etag is not None and etag == self._etag[0] and verdict.sequence != self._etag[1]:
            raise UntrustedResponseError("etag_misuse", f"{etag} names sequence {self._etag[1]} too")
        self._check_age(verdict, now)
        self.sequence, self.as_of = verdict.sequence, verdict.as_of
        self._etag = None if etag is None else (etag, verdict.sequence)

    def _check_clock(self, verdict: ReceivedVerdict, now: datetime) -> None:
        behind = (now - verdict.as_of).total_seconds()
        if behind > self._limits.max_skew_s:
            raise UntrustedResponseError("stale_answer", f"it is of {behind:.1f} s ago")
        if -behind > self._limits.max_skew_s:
            raise UntrustedResponseError("clock_skew", f"it is of {-behind:.1f} s ahead of this clock")

    def _check_order(self, verdict: ReceivedVerdict) -> None:
        if verdict.sequence < self.sequence:
            raise UntrustedResponseError("sequence_back", f"{verdict.sequence} after {self.sequence}")
        if self.as_of is not None and verdict.as_of < self.as_of - _AS_OF_TOLERANCE:
            raise UntrustedResponseError("as_of_back", f"{verdict.as_of} after {self.as_of}")

    def _check_age(self, verdict: ReceivedVerdict, now: datetime) -> None:
        max_age = self._limits.max_data_age_s
        if max_age is None:
            return
        if verdict.data_age_s is None:
            raise UntrustedResponseError("stale_data", "no data has ever been received for the account")
        # this order of comparison rejects NaN
        age = verdict.data_age_s + max((now - verdict.as_of).total_seconds(), 0)
        if not 0 <= age <= max_age:
            raise UntrustedResponseError("stale_data", f"last heard {age:.1f} s ago, allowed are {max_age:g}")
