"""A verdict as the guard reads it: strictly, as whoever answers may be broken or lie."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SCHEMA = "tearsheet.verdict/1"
_STATES = ("ok", "warn", "breach", "unknown")
_SHOWN = 200


class UntrustedResponseError(Exception):
    """Why an answer is no ground for a decision: a code, and what was found."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail if len(detail) <= _SHOWN else f"{detail[:_SHOWN]}…"


@dataclass(frozen=True)
class BreachInfo:
    """A limit that is broken: the breach's id, the limit, and its numbers as they were written."""

    id: str
    limit: str
    value: str
    threshold: str


@dataclass(frozen=True)
class ReceivedVerdict:
    """What an answer says, after it was found to be whole and not to contradict itself."""

    account: str
    state: str
    must_be_flat: bool
    trading_day: str
    as_of: datetime
    data_age_s: float | None
    sequence: int
    breaches: tuple[BreachInfo, ...]
    reasons: tuple[str, ...]


def parse_verdict(body: bytes, account: str) -> ReceivedVerdict:
    """Read the body of an answer. Raises UntrustedError."""
    try:
        whole = json.loads(body, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise UntrustedResponseError("no_json", f"{error}: {body[:80]!r}") from None
    try:
        seen = _parse_data(whole)
    except (KeyError, TypeError, ValueError) as error:
        raise UntrustedResponseError("wrong_shape", f"{type(error).__name__}: {error}") from None
    if seen.account != account:
        raise UntrustedResponseError("other_account", f"it is of {seen.account!r}, not of {account!r}")
    _check_consistency(seen, whole["data"])
    return seen


def _parse_data(whole: Any) -> ReceivedVerdict:
    data = whole["data"]
    if whole["status"] != "success" or data["schema"] != SCHEMA:
        raise ValueError(f"status {whole['status']!r}, schema {data.get('schema')!r}")
    if data["state"] not in _STATES:
        raise ValueError(f"state {data['state']!r}")
    as_of = datetime.fromisoformat(_require_type(data["as_of"], str))
    if as_of.tzinfo is None:
        raise ValueError(f"as_of {data['as_of']!r} has no zone")
    age = data["data_age_s"]
    return ReceivedVerdict(
        account=_require_type(data["account"], str),
        state=data["state"],
        must_be_flat=_require_type(data["must_be_flat"], bool),
        trading_day=_require_type(data["trading_day"], str),
        as_of=as_of,
        data_age_s=None if age is None else float(age),
        sequence=_require_type(data["sequence"], int),
        breaches=tuple(_parse_breach(view) for view in data["limits"] if view["level"] == "breach"),
        reasons=tuple(_require_type(reason["code"], str) for reason in data["reasons"]),
    )


def _parse_breach(view: Any) -> BreachInfo:
    breach = view["breach"]
    return BreachInfo(
        id=_require_type(breach["id"], str),
        limit=_require_type(view["name"], str),
        value=str(breach["value"]),
        threshold=str(breach["threshold"]),
    )


def _require_type(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _check_consistency(seen: ReceivedVerdict, data: Any) -> None:
    """An answer that contradicts itself says nothing."""
    if bool(seen.breaches) != (seen.state == "breach"):
        raise UntrustedResponseError(
            "contradiction", f"state {seen.state} with {len(seen.breaches)} broken limits"
        )
    if seen.must_be_flat != (seen.state == "breach") and seen.state != "unknown":
        raise UntrustedResponseError(
            "contradiction", f"state {seen.state} with must_be_flat {seen.must_be_flat}"
        )
    if seen.state == "ok" and any(view["level"] != "ok" for view in data["limits"]):
        raise UntrustedResponseError("contradiction", "state ok with a limit that is not")
