"""Folds fills by the kernel: keeps its state between batches, and turns its rows of whole numbers into texts."""

import ctypes
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from tearsheet.columns import native as k
from tearsheet.columns.exact_lane import ExactLane, FoldParts, FoldRules, OpenBooks
from tearsheet.columns.fill_columns import (
    BookedColumns,
    FillColumns,
    FoldOutput,
    PositionColumns,
    SessionTally,
    empty_fold,
    out_of_order,
    positions_from_columns,
)
from tearsheet.columns.packed_fills import Fills, PackedFills, Stream, cell, columns_of, place_of, size
from tearsheet.columns.sort_keys import sort_keys
from tearsheet.performance.tally import ALL_ACCOUNTS, Curve, Streaks, Tally
from tearsheet.trade.amount import exact
from tearsheet.trade.session import from_micros, to_micros

Key = TypeVar("Key")
T = TypeVar("T")
_EPOCH: Final = date(1970, 1, 1)
_AMOUNTS: Final = ("quantity", "price", "commission", "multiplier", "stop_loss", "target")
#: Decimals of the breakeven band in the kernel, and those that money has at least.
_BAND_SCALE = 12
_RATIO_SCALE, _SQUARE_SCALE = 8, 16
_Falls = dict[tuple[int, int], list[tuple[Decimal, Decimal]]]


def can_hold(rules: FoldRules) -> bool:
    """Return whether the kernel is there and its numbers can hold the breakeven band."""
    band = _scaled_band(rules)
    return k.is_available() and band == band.to_integral_value() and abs(band) < 2**62


def _scaled_band(rules: FoldRules) -> Decimal:
    """Return the breakeven band in units of the kernel."""
    with exact():
        return rules.breakeven_band.scaleb(_BAND_SCALE)


class _Codes(dict[Key, int]):
    """Numbers of keys, given as they come."""

    def __init__(self, on_new: Callable[[Key], None]) -> None:
        super().__init__()
        self._on_new = on_new

    def __missing__(self, key: Key) -> int:
        self._on_new(key)
        code = self[key] = len(self)
        return code


class _Kinds(dict[tuple[str, int | None, str | None], int]):
    """Bits of a fill's side, closing mark and mode."""

    def __missing__(self, key: tuple[str, int | None, str | None]) -> int:
        side, closes, mode = key
        kind = (k.IS_BUY if side == "BUY" else 0) | (k.CLOSES if closes else 0)
        kind |= {"PAPER": k.IS_PAPER, "LIVE": k.IS_LIVE}.get(mode or "", 0)
        self[key] = kind
        return kind


class _StreamMemory(NamedTuple):
    """What an open position keeps of the fills of earlier batches."""

    strategy: str | None
    last_key: str


class KernelLane:
    """Streams, purses (an account and currency) and accounts by number, and what each holds."""

    def __init__(self, rules: FoldRules, parts: FoldParts) -> None:
        self._rules, self._parts, self._band = rules, parts, int(_scaled_band(rules))
        self._accounts: _Codes[str] = _Codes(self._new_account)
        self._streams: _Codes[Stream] = _Codes(self._new_stream)
        self._purses: _Codes[tuple[str, str]] = _Codes(self._new_purse)
        self._kinds = _Kinds()
        self._stream_names: list[Stream] = []
        self._purse_names: list[tuple[str, str]] = []
        self._account_of, self._purse_account, self._total_of = array("i"), array("i"), array("i")
        self._names = k.TextColumn(array("i"), b"", 0)
        self._places = array("i"), array("i")
        self._scales = k.integers(())
        self._positions, self._tallies = bytearray(), bytearray()
        self._waiting, self._waiting_count = bytearray(8 * k.MOST_WAITING * k.POSITION_CELLS), 0
        self._session: date | None = None
        self._carried: dict[int, _StreamMemory] = {}
        self._falls: _Falls = defaultdict(list)

    def _new_account(self, name: str) -> None:
        self._scales.extend((0, 0, 0, 0, _BAND_SCALE))

    def _new_stream(self, stream: Stream) -> None:
        self._account_of.append(self._accounts[stream[0]])
        self._positions.extend(bytes(8 * k.POSITION_CELLS))
        self._stream_names.append(stream)

    def _new_purse(self, purse: tuple[str, str]) -> None:
        self._purse_account.append(self._accounts[purse[0]])
        self._total_of.append(self._purses.get((ALL_ACCOUNTS, purse[1]), -1))
        self._purse_names.append(purse)
        self._tallies.extend(bytes(8 * k.TALLY_CELLS))

    def add(self, fills: Fills) -> FoldOutput | None:
        """Fold a batch; None, and nothing has changed, where it needs the exact lane.

        Raises UsageError where a fill does not come after the one before it.
        """
        batch = self._prepare(fills)
        if batch is None:
            return None
        rows, books = ctypes.byref(batch.fills), self._books(batch)
        row = k.kernel().disorder(rows, ctypes.byref(books))
        if row >= 0:
            raise out_of_order(place_of(fills, row), place_of(fills, row - 1))
        room = _Room(size(fills), len(self._streams), len(self._purses), len(batch.days))
        wanted, bounds = k.integers(self._scales), bytearray(8 * k.BOUNDS * len(self._accounts))
        kept = (self._scales[:], self._positions[:], self._tallies[:], self._waiting[:], self._waiting_count)
        fits = k.kernel().fit(rows, ctypes.byref(books), k.pointer(wanted), k.pointer(bounds))
        if not fits or k.kernel().fold(rows, ctypes.byref(books), ctypes.byref(room.output)) >= 0:
            self._scales, self._positions, self._tallies, self._waiting, self._waiting_count = kept
            return None
        self._waiting_count = books.waiting_count
        self._session = batch.days[room.output.session]
        folded = FoldOutput(*self._rows(fills, room), self._over(room))
        self._carry(fills, room)
        return folded

    def finish(self) -> FoldOutput:
        """Return the open positions and the tallies of the last session."""
        if self._session is None:
            return empty_fold()
        batch = _Batch.empty(self._session, self._rules)
        room, books = _Room(0, 1, len(self._purses), 1), self._books(batch)
        kept = self._tallies[:], self._waiting[:]
        if not k.kernel().finish(ctypes.byref(books), ctypes.byref(room.output)):
            self._tallies, self._waiting = kept  # some of what waited may be counted already
            return ExactLane(self._rules, self.open_books()).finish()
        self._waiting_count = 0
        return FoldOutput(empty_fold().bookings, self._open(), self._over(room))

    def open_books(self) -> OpenBooks:
        """Return what the exact lane goes on with."""
        tallies = k.Rows(self._tallies, len(self._purses), k.TALLY_CELLS, self._scales)
        waiting = k.Rows(self._waiting, self._waiting_count, k.POSITION_CELLS, self._scales)
        count = self._waiting_count  # they are in no output any more, only to be counted
        return OpenBooks(
            positions_from_columns(self._open()),
            self._session_tallies(tallies, is_over=False),
            positions_from_columns(self._position_columns(waiting, [""] * count, [None] * count)),
        )

    # ---- to the kernel

    def _prepare(self, fills: Fills) -> "_Batch | None":
        """Return a batch as the kernel reads it; None where a text has a zero in it."""
        batch = self._of_packed(fills) if isinstance(fills, PackedFills) else self._of_columns(fills)
        return batch if batch is not None and self._set_names() else None

    def _of_columns(self, columns: FillColumns) -> "_Batch | None":
        texts = [k.text_column(getattr(columns, name)) for name in ("key", *_AMOUNTS)]
        if not all(texts):
            return None
        # the purse of all accounts first: the others point to it
        for currency in dict.fromkeys(columns.currency):
            self._purses[ALL_ACCOUNTS, currency]
        streams = map(
            self._streams.__getitem__,
            zip(columns.account, columns.symbol, columns.position_side, strict=True),
        )
        purses = map(self._purses.__getitem__, zip(columns.account, columns.currency, strict=True))
        kinds = bytes(
            map(self._kinds.__getitem__, zip(columns.side, columns.closes, columns.mode, strict=True))
        )
        batch = _Batch()
        batch.set_fills(len(kinds), array("i", streams), array("i", purses), kinds, [t for t in texts if t])
        batch.set_moments(k.integers(columns.time_us), k.integers(columns.rank))
        batch.set_sessions(self._session, columns.time_us[0], columns.time_us[-1], self._rules)
        return batch

    def _of_packed(self, fills: PackedFills) -> "_Batch":
        for currency in dict.fromkeys(currency for _, currency in fills.purse_names):
            self._purses[ALL_ACCOUNTS, currency]
        streams = [self._streams[name] for name in fills.stream_names]
        purses = [self._purses[name] for name in fills.purse_names]
        batch = _Batch()
        batch.set_fills(
            fills.count,
            array("i", map(streams.__getitem__, fills.streams)),
            array("i", map(purses.__getitem__, fills.purses)),
            fills.kinds,
            fills.texts,
        )
        batch.set_moments(fills.times, fills.ranks)
        first, last = (cell(fills, "time_us", row) for row in (0, fills.count - 1))
        batch.set_sessions(self._session, first, last, self._rules)
        return batch

    def _set_names(self) -> bool:
        """Write the names of the streams and their places in order; False where one has a zero in it."""
        if len(self._places[0]) == len(self._stream_names):
            return True
        names = [f"{account}\0{symbol}\0".encode() for account, symbol, _ in self._stream_names]
        ends = array("i", [0])
        for name in names:
            ends.append(ends[-1] + len(name))
        self._names = k.TextColumn(ends, b"".join(names), 0)
        for part, places in enumerate(self._places):
            own = [str(stream[part]) for stream in self._stream_names]
            order = {name: place for place, name in enumerate(sorted(set(own)))}
            places[:] = array("i", map(order.__getitem__, own))
        return all(name.count(b"\0") == 2 for name in names)

    def _books(self, batch: "_Batch") -> k.BooksPointer:
        account_place, symbol_place = self._places
        return k.BooksPointer(
            *(len(self._streams), len(self._purses), len(self._accounts)),
            *k.addresses(self._account_of, account_place, symbol_place, self._names.ends, self._names.data),
            *k.addresses(self._purse_account, self._total_of, self._scales, self._positions, self._waiting),
            *(self._waiting_count, k.address(self._tallies), len(batch.days)),
            *k.addresses(batch.session_starts, batch.session_days),
            *(self._band, int(self._rules.breakeven_breaks_streak)),
        )

    def _carry(self, fills: Fills, room: "_Room") -> None:
        """Keep what open positions need of the fills of this batch."""
        touched = memoryview(room.touched).cast("q")[: 3 * room.output.touched_count].tolist()
        for stream, first, last in zip(touched[::3], touched[1::3], touched[2::3], strict=True):
            strategy = self._carried[stream].strategy if first < 0 else cell(fills, "strategy", first)
            self._carried[stream] = _StreamMemory(strategy, cell(fills, "key", last))

    # ---- from the kernel

    def _rows(self, fills: Fills, room: "_Room") -> tuple[BookedColumns, PositionColumns]:
        if not self._parts.has_rows:
            return empty_fold()[:2]
        columns = columns_of(fills)
        closed = self._closed(columns, room.rows("position", k.POSITION_CELLS, self._scales))
        return self._bookings(columns, room), closed

    def _bookings(self, columns: FillColumns, room: "_Room") -> BookedColumns:
        rows, cell = room.rows("booking", k.BOOKING_CELLS, self._scales), k.BOOKING
        at = rows.integers(cell["row"])

        def of_fill(values: Sequence[T]) -> list[T]:
            return list(map(values.__getitem__, at))

        return BookedColumns(
            rows.ids(cell["id"]),
            of_fill(columns.account),
            of_fill(columns.symbol),
            of_fill(columns.currency),
            of_fill(columns.time_us),
            of_fill(columns.rank),
            of_fill(columns.key),
            rows.integers(cell["part"]),
            rows.texts(cell["quantity"], k.OF_QUANTITY),
            rows.texts(cell["price"], k.OF_PRICE),
            rows.texts(cell["gross"], k.OF_MONEY),
            rows.texts(cell["fees"], k.OF_MONEY),
            rows.integers(cell["closes"]),
        )

    def _closed(self, columns: FillColumns, rows: k.Rows) -> PositionColumns:
        streams, first, last = (
            rows.integers(k.POSITION[name]) for name in ("stream", "first_row", "last_row")
        )
        keys = [columns.key[row] for row in last]
        strategies = [
            columns.strategy[row] if row >= 0 else self._carried[stream].strategy
            for stream, row in zip(streams, first, strict=True)
        ]
        return self._position_columns(rows, keys, strategies)

    def _open(self) -> PositionColumns:
        every = memoryview(self._positions).cast("q")
        rows = bytearray()
        for stream in sorted(self._carried):
            row = every[stream * k.POSITION_CELLS : (stream + 1) * k.POSITION_CELLS]
            held = k.POSITION["held"]
            if row[held] or row[held + 1]:
                rows += row.tobytes()
        found = k.Rows(rows, len(rows) // (8 * k.POSITION_CELLS), k.POSITION_CELLS, self._scales)
        carried = [self._carried[stream] for stream in found.integers(k.POSITION["stream"])]
        return self._position_columns(
            found, [one.last_key for one in carried], [one.strategy for one in carried]
        )

    def _position_columns(
        self, rows: k.Rows, keys: list[str], strategies: list[str | None]
    ) -> PositionColumns:
        cell = k.POSITION
        streams = [self._stream_names[stream] for stream in rows.integers(cell["stream"])]
        kinds, opened, last = (rows.integers(cell[name]) for name in ("kind", "opened", "last"))
        held = rows.texts(cell["held"], k.OF_QUANTITY)
        is_closed = [text == "0" for text in held]
        value = {"which": k.OF_QUANTITY | k.OF_PRICE, "inverse": cell["multiplier"]}
        stops, targets = (rows.texts(cell[name], k.OF_PRICE) for name in ("stop", "target"))
        plans = rows.texts(cell["plan"], flat=_RATIO_SCALE)
        columns = PositionColumns(
            rows.ids(cell["id"]),
            [account for account, _, _ in streams],
            [symbol for _, symbol, _ in streams],
            [self._purse_names[purse][1] for purse in rows.integers(cell["purse"])],
            rows.texts(cell["multiplier"], k.OF_MULTIPLIER),
            ["BUY" if side > 0 else "SELL" for side in rows.integers(cell["side"])],
            [*opened],
            [at if closed else None for at, closed in zip(last, is_closed, strict=True)],
            last,
            rows.integers(cell["rank"]),
            keys,
            rows.texts(cell["quantity"], k.OF_QUANTITY),
            rows.texts(cell["peak"], k.OF_QUANTITY),
            held,
            rows.texts(cell["entry"], **value),
            rows.texts(cell["exit"], **value),
            rows.texts(cell["cost"], k.OF_MONEY),
            rows.texts(cell["gross"], k.OF_MONEY),
            rows.texts(cell["fees"], k.OF_MONEY),
            rows.integers(cell["fills"]),
            strategies,
            _where(kinds, k.HAS_STOP, stops),
            _where(kinds, k.HAS_TARGET, targets),
            _where(kinds, k.HAS_PLAN, plans),
            ["PAPER" if kind & k.IS_PAPER else "LIVE" if kind & k.IS_LIVE else None for kind in kinds],
            [end - at if closed else None for end, at, closed in zip(last, opened, is_closed, strict=True)],
            [side for _, _, side in streams],
            rows.sort_keys(cell["gross"], k.OF_MONEY, less=cell["fees"]),
            rows.sort_keys(cell["quantity"], k.OF_QUANTITY),
            [None] * rows.count,
        )
        if any(kind & k.HAS_STOP for kind in kinds):
            with exact():
                columns.r_order[:] = [sort_keys(one)[2] for one in positions_from_columns(columns)]
        return columns

    def _over(self, room: "_Room") -> list[SessionTally]:
        """Return the tallies of the sessions that are over, with the falls of this batch and those before."""
        falls, cell = room.rows("fall", k.FALL_CELLS, self._scales), k.FALL
        places = zip(falls.integers(cell["purse"]), falls.integers(cell["session"]), strict=True)
        amounts = (map(Decimal, falls.texts(cell[name], k.OF_MONEY)) for name in ("high", "depth"))
        for place, high, depth in zip(places, *amounts, strict=True):
            self._falls[place].append((high, depth))
        return self._session_tallies(room.rows("tally", k.TALLY_CELLS, self._scales), is_over=True)

    def _session_tallies(self, rows: k.Rows, *, is_over: bool) -> list[SessionTally]:
        cell = k.TALLY
        whole = {name: rows.integers(cell[name]) for name in _COUNTS}
        money = {name: list(map(Decimal, rows.texts(cell[name], k.OF_MONEY))) for name in _MONEY}
        quantity = list(map(Decimal, rows.texts(cell["quantity"], k.OF_QUANTITY)))
        ratios = {
            name: list(map(Decimal, rows.texts(cell[name], flat=flat))) for name, flat in _RATIOS.items()
        }
        tallies = []
        for row in range(rows.count):
            n = {name: values[row] for name, values in whole.items()}
            if not any(n[name] for name in ("fills", "wins", "losses", "evens")):
                continue
            place = n["purse"], n["session"]
            if is_over and not self._parts.has_totals and self._purse_names[n["purse"]][0] == ALL_ACCOUNTS:
                self._falls.pop(place, None)
                continue
            m = {name: values[row] for name, values in (*money.items(), *ratios.items())}
            falls = (
                self._falls.pop(place, []) if is_over else [*self._falls.get(place, []), *_last_fall(n, m)]
            )
            account, currency = self._purse_names[n["purse"]]
            day = _EPOCH + timedelta(days=n["session"])
            tallies.append(
                SessionTally(account, day, currency, n["last"], _tally(n, m, quantity[row], falls))
            )
        return tallies


_COUNTS = [name for name, cell in k.TALLY.items() if cell < k.TALLY["gross"]]
_RATIOS = {"plan_sum": _RATIO_SCALE, "r_sum": _RATIO_SCALE, "r_squares": _SQUARE_SCALE}
_MONEY = [
    name
    for name, cell in k.TALLY.items()
    if cell >= k.TALLY["gross"] and name != "quantity" and name not in _RATIOS
]


def _where(kinds: Sequence[int], bit: int, texts: Sequence[str]) -> list[str | None]:
    return [text if kind & bit else None for kind, text in zip(kinds, texts, strict=True)]


def _last_fall(n: dict[str, int], m: dict[str, Decimal]) -> Iterable[tuple[Decimal, Decimal]]:
    """Return the fall that a tally which goes on is in, if it is the first or the deepest."""
    with exact():
        depth = m["high"] - m["trough"]
    return [(m["high"], depth)] if n["fills"] and (not n["falls"] or depth > m["deepest"]) else []


def _tally(
    n: dict[str, int], m: dict[str, Decimal], quantity: Decimal, falls: list[tuple[Decimal, Decimal]]
) -> Tally:
    with exact():
        closed_net = m["won"] + m["lost"] + m["even"]
    return Tally(
        fills=n["fills"],
        gross=m["gross"],
        fees=m["fees"],
        quantity=quantity,
        curve=Curve(m["net"], m["high"], m["low"], m["drawdown"], tuple(falls)),
        wins=n["wins"],
        losses=n["losses"],
        breakevens=n["evens"],
        won=m["won"],
        lost=m["lost"],
        closed_net=closed_net,
        largest_win=m["best"] if n["wins"] else None,
        largest_loss=m["worst"] if n["losses"] else None,
        planned_sum=m["plan_sum"],
        planned_count=n["plans"],
        r_sum=m["r_sum"],
        r_squares=m["r_squares"],
        r_count=n["multiples"],
        win_held_us=n["win_held"],
        win_held_count=n["wins"],
        loss_held_us=n["loss_held"],
        loss_held_count=n["losses"],
        paper=n["paper"],
        live=n["live"],
        streaks=Streaks(
            n["outcomes"],
            n["first"],
            n["first_length"],
            n["run"],
            n["run_length"],
            n["long_win"],
            n["long_loss"],
        ),
    )


class _Batch:
    """Fills as the kernel reads them, and the sessions they lie in."""

    def __init__(self) -> None:
        self.fills = k.FillsPointer()
        self.days: list[date] = []
        self.session_starts, self.session_days = k.integers(()), k.integers(())
        self._kept: list[object] = []  # the kernel has only their addresses

    def set_fills(
        self,
        count: int,
        streams: "array[int]",
        purses: "array[int]",
        kinds: k.Buffer,
        texts: Sequence[k.TextColumn],
    ) -> None:
        """Set the fills, but for their moments; `texts` are the keys, then the amounts."""
        keys, *amounts = texts
        values, digits = k.parse(amounts, count)
        self._kept += (streams, purses, kinds, keys, values, digits)
        self.fills.count, self.fills.gap = count, keys.gap
        self.fills.stream, self.fills.purse, self.fills.kind = k.addresses(streams, purses, kinds)
        self.fills.key_ends, self.fills.keys = k.addresses(keys.ends, keys.data)
        self.fills.values, self.fills.digits = k.addresses(values, digits)

    def set_moments(self, times: k.Buffer, ranks: k.Buffer) -> None:
        """Set the microseconds and the ranks of the fills."""
        self._kept += (times, ranks)
        self.fills.time, self.fills.rank = k.addresses(times, ranks)

    @classmethod
    def empty(cls, session: date, rules: FoldRules) -> "_Batch":
        """Return a batch without fills in a session."""
        batch = cls()
        start_us = to_micros(rules.calendar.start(session))
        batch.set_sessions(session, start_us, start_us, rules)
        return batch

    def set_sessions(self, before: date | None, first_us: int, last_us: int, rules: FoldRules) -> None:
        """Set the sessions from the last one before, or from that of the first fill, to that of the last fill."""
        calendar = rules.calendar
        day, last = (
            before or calendar.trading_day_of(from_micros(first_us)),
            calendar.trading_day_of(from_micros(last_us)),
        )
        while not self.days or self.days[-1] < last:
            self.days.append(day)
            self.session_days.append((day - _EPOCH).days)
            self.session_starts.append(to_micros(calendar.start(day)))
            day = calendar.trading_day_of(calendar.end(day))
        self.session_starts.append(to_micros(calendar.end(self.days[-1])))


class _Room:
    """Room for what a batch comes to. Memory that is not written to costs nothing."""

    def __init__(self, fills: int, streams: int, purses: int, sessions: int) -> None:
        tallies = min(purses * (sessions + 1), purses + 8 * fills)
        self._counts = {
            "booking": 2 * fills,
            "position": fills,
            "tally": tallies,
            "fall": 4 * fills + tallies,
        }
        cells = (k.BOOKING_CELLS, k.POSITION_CELLS, k.TALLY_CELLS, k.FALL_CELLS)
        pairs = zip(self._counts.items(), cells, strict=True)
        self._data = {name: bytearray(8 * count * size) for (name, count), size in pairs}
        self.touched = bytearray(24 * streams)
        self.output = k.OutputPointer(*k.addresses(*self._data.values(), self.touched))

    def rows(self, name: str, cells: int, scales: "array[int]") -> k.Rows:
        """Return the rows of a kind that were written."""
        return k.Rows(self._data[name], getattr(self.output, f"{name}_count"), cells, scales)
