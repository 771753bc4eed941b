"""The shapes of answers about limits, as the OpenAPI document shows them."""

from datetime import datetime

from msgspec import Struct

from tearsheet.rules.breach import Breach, Release
from tearsheet.rules.verdict import Verdict, VerdictState
from tearsheet.web.schemas.performance import Success


class VerdictAnswer(Struct, kw_only=True):
    """The verdict of one account."""

    status: Success
    timestamp: datetime
    data: Verdict


class VerdictList(Struct, kw_only=True):
    """The worst state of all accounts that have limits, and the verdict of each."""

    state: VerdictState
    must_be_flat: bool
    as_of: datetime
    sequence: int
    accounts: tuple[Verdict, ...]


class VerdictsAnswer(Struct, kw_only=True):
    """The verdicts of all accounts that have limits."""

    status: Success
    timestamp: datetime
    data: VerdictList


class BreachView(Struct, kw_only=True):
    """A breach, and its release if somebody has lifted it."""

    breach: Breach
    release: Release | None


class BreachesAnswer(Struct, kw_only=True):
    """A page of breaches, the newest first."""

    status: Success
    timestamp: datetime
    data: tuple[BreachView, ...]
    next_cursor: str | None


class ReleaseResult(Struct, kw_only=True):
    """A breach that is lifted now; `repeated` where the same request did it before."""

    breach: Breach
    release: Release
    repeated: bool


class ReleaseAnswer(Struct, kw_only=True):
    """The breach is lifted."""

    status: Success
    timestamp: datetime
    data: ReleaseResult


class Heartbeat(Struct, kw_only=True):
    """When an account's source was heard."""

    account: str
    heard_at: datetime


class HeartbeatAnswer(Struct, kw_only=True):
    """The heartbeat is kept."""

    status: Success
    timestamp: datetime
    data: Heartbeat
