"""Strict parser of the verdict response; the server is not trusted."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SCHEMA = "tearsheet.verdict/1"
_STATES = ("ok", "warn", "breach", "unknown")
_MAX_DETAIL = 200


class UntrustedResponseError(Exception):
    """A response that cannot be used for a decision: stable code and detail."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail if len(detail) <= _MAX_DETAIL else f"{detail[:_MAX_DETAIL]}…"


@dataclass(frozen=True)
class BreachInfo:
    """An active breach: its id, the limit, and value and threshold as sent."""

    id: str
    limit: str
    value: str
    threshold: str


@dataclass(frozen=True)
class ReceivedVerdict:
    """A complete verdict without contradictions."""

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
    """Parse and check a response body. Raises UntrustedResponseError."""
    try:
        content = json.loads(body, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise UntrustedResponseError("no_json", f"{error}: {body[:80]!r}") from None
    try:
        verdict = _parse_data(content)
    except (KeyError, TypeError, ValueError) as error:
        raise UntrustedResponseError("wrong_shape", f"{type(error).__name__}: {error}") from None
    if verdict.account != account:
        raise UntrustedResponseError("other_account", f"it is of {verdict.account!r}, not of {account!r}")
    _check_consistency(verdict, content["data"])
    return verdict


def _parse_data(content: Any) -> ReceivedVerdict:
    data = content["data"]
    if content["status"] != "success" or data["schema"] != SCHEMA:
        raise ValueError(f"status {content['status']!r}, schema {data.get('schema')!r}")
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


def _check_consistency(verdict: ReceivedVerdict, data: Any) -> None:
    """Raise UntrustedResponseError if state, must_be_flat and limit levels contradict each other."""
    if bool(verdict.breaches) != (verdict.state == "breach"):
        raise UntrustedResponseError(
            "contradiction", f"state {verdict.state} with {len(verdict.breaches)} broken limits"
        )
    if verdict.must_be_flat != (verdict.state == "breach") and verdict.state != "unknown":
        raise UntrustedResponseError(
            "contradiction", f"state {verdict.state} with must_be_flat {verdict.must_be_flat}"
        )
    if verdict.state == "ok" and any(view["level"] != "ok" for view in data["limits"]):
        raise UntrustedResponseError("contradiction", "state ok with a limit that is not")
