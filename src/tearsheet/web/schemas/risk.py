"""Response types of verdicts, breaches and heartbeats."""

from datetime import datetime

from msgspec import Struct

from tearsheet.rules.breach import Breach, Release
from tearsheet.rules.verdict import Verdict, VerdictState


class UnlimitedAccount(Struct, kw_only=True):
    """An account that trades without limits, and why it is not in the worst state."""

    account: str
    reason: str


class VerdictList(Struct, kw_only=True):
    """The worst state of all accounts that have limits, and the verdict of each.

    `unlimited` names the accounts that trade without limits. They are judged as unknown if the default of the
    limits file states `on_unknown`.
    """

    state: VerdictState
    must_be_flat: bool
    as_of: datetime
    sequence: int
    accounts: tuple[Verdict, ...]
    unlimited: tuple[UnlimitedAccount, ...]


# a view because `BreachRecord` belongs to the store, which the API does not import
class BreachView(Struct, kw_only=True):
    """A breach, and its release if it was released."""

    breach: Breach
    release: Release | None


class ReleaseResult(Struct, kw_only=True):
    """A breach that is released now; `repeated` if an identical request released it before."""

    breach: Breach
    release: Release
    repeated: bool


class Heartbeat(Struct, kw_only=True):
    """Time at which the last sign of an account's source was received."""

    account: str
    heard_at: datetime
