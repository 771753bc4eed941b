"""Lakes for tests: of fills, and of the ledger of a place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from msgspec.structs import replace

from tearsheet.bulk.lake import MANIFEST, Lake, LakeManifest, LakeRules, LakeSource, encode
from tearsheet.bulk.place import LakePlace
from tearsheet.bulk.write import arrow_fills, put_source, write_ledger
from tearsheet.columns.fill_columns import FillColumns
from tearsheet.store.kept_accounts import KeptAccounts
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.fill import Fill
from tests.columns.random_fills import random_fills
from tests.support.place import Place

#: The rules of `tests.columns.random_fills`.
CHICAGO = LakeRules(
    timezone="America/Chicago",
    day_starts_at="17:00",
    breakeven_band=Decimal("0.5"),
    breakeven_breaks_streak=False,
)


def empty_lake(address: str, buckets: int = 3) -> Lake:
    """A lake without fills."""
    LakePlace(address).put(MANIFEST, encode(LakeManifest(buckets=buckets, rules=CHICAGO)))
    return Lake.open(address)


def fill_lake(lake: Lake, fills: Sequence[Fill], name: str = "one", at_once: int = 97) -> Lake:
    """Put fills into a lake as one source, and open it again."""
    source = LakeSource(
        name=name,
        label=name,
        revision=1,
        currency="USD",
        starting_balance=None,
        accounts=[],
        terms=KeptAccounts(),
        files=[],
    )
    parts = (fills[start : start + at_once] for start in range(0, len(fills), at_once))
    put_source(lake, source, (arrow_fills(FillColumns.from_fills(part)) for part in parts))
    return Lake.open(lake.place.address)


@contextmanager
def traded(
    place: Place, accounts: int = 3, kinds: tuple[str, ...] = ("plain", "crypto")
) -> Iterator[PerformanceTracker]:
    """A tracker whose ledger has the fills of some accounts, without stops that contradict each other."""
    fills = random_fills(Random(11), accounts, 60, kinds)
    first: dict[tuple[str, str], Fill] = {}
    fills = [
        replace(fill, multiplier=one.multiplier, currency=one.currency)
        for fill in fills
        for one in [first.setdefault((fill.account, fill.symbol), fill)]
    ]
    back = fills[-1].time - place.now + timedelta(days=1)
    rows = ["account,symbol,time,side,quantity,price,commission,fill_id,multiplier,currency,stop_loss,target"]
    rows += [
        f"{f.account},{f.symbol},{(f.time - back).isoformat()},{f.side.value},{f.quantity},{f.price},{f.commission},"
        f"{n},{to_plain_string(f.multiplier)},USD,{f.stop_loss or ''},{f.target or ''}"
        for n, f in enumerate(fills)
    ]
    place.write("fills.csv", "\n".join(rows) + "\n")
    with place.tracker() as tracker:
        assert tracker.import_file(place.folder / "fills.csv").new > 50
        yield tracker


def written(tracker: PerformanceTracker, folder: Path, buckets: int = 3) -> Lake:
    """The lake of a tracker's ledger."""
    write_ledger(tracker, str(folder), buckets)
    return Lake.open(str(folder))
