"""Files that were read: trade logs and imports, rejected lines, log streams, and doubts about missing sources."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct, json

from tearsheet.store.tables.columns import AbsenceRow, DoubtRow, FillRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import RejectionListRow, SourceFile, StreamRow
from tearsheet.store.tables.rows import date_from_text, rejection_from_row
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.contract_name import parse_contract
from tearsheet.trade.fill import Rejection
from tearsheet.trade.instrument import Instruments
from tearsheet.trade.session import LATEST, from_micros, is_ahead, to_micros

#: Accounts of a doubt: every one of the trade log, or all.
LOGGED, EVERY = "", "*"
#: Name of the instruments file among the sources, key of its content, and accounts of its doubt: those that trade
#: what it names.
INSTRUMENTS = "instruments"


#: Code of the doubt about accounts whose broker states other numbers than the books.
DIFFERS = "differs_from_broker"
#: Code of the doubt about fills that have another multiplier than the instruments state.
OTHER_MULTIPLIER = "other_multiplier"
#: A day on which to read a contract of which only the root counts.
_ANY_DAY = date(2000, 1, 1)


def import_name(number: int) -> str:
    """Return the name of an import among the sources."""
    return f"import {number}"


class LogUsage(Row, frozen=True, gc=False):
    """Number of account–symbol pairs in the trade log that are read as trades, and as fills."""

    as_trades: int
    as_fills: int


class _Place(Row, frozen=True, gc=False):
    file: str
    line: int


class _SpanOfFills(Row, frozen=True, gc=False):
    first_us: int | None
    last_us: int | None


class _Multiplier(Row, frozen=True, gc=False):
    account: str
    symbol: str
    multiplier: str
    first_us: int
    last_us: int
    fills: int


class SourceFiles:
    """Queries about the files that were read."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def log_files(self) -> dict[str, SourceFile]:
        """Return the trade logs that were read, by file name."""
        return {source.name: source for source in self._queries.rows(SourceFile, "log_sources")}

    def imports_for(self, checksum: int, size: int) -> list[SourceFile]:
        """Return earlier imports of the same content, newest first."""
        return self._queries.rows(SourceFile, "import_known", (checksum, size))

    def get(self, number: int) -> SourceFile:
        """Return a file that was read, by an existing ID."""
        source = self._queries.row(SourceFile, "source_of_id", (number,))
        assert source is not None
        return source

    def uses_trade_log(self, account: str) -> bool:
        """Return whether an account is in the trade log."""
        return self._queries.exists("log_stream_of_account", (account,))

    def count_rejections(self, account: str | None, since: datetime, until: datetime) -> int:
        """Return how many rejected lines may belong to `[since, until)`."""
        return int(self._queries.value("count_rejections", (to_micros(until), to_micros(since), account)))

    def rejections(self, most: int) -> list[Rejection]:
        """Return rejected lines, newest first."""
        return list(map(rejection_from_row, self._queries.rows(RejectionListRow, "rejections", (most,))))

    def places(self, account: str, fill_key: str) -> list[tuple[str, int]]:
        """Return the files and lines that contain the fill or record of a booking."""
        fill = None
        if not fill_key.startswith("r:"):
            fill = self._queries.row(FillRow, "fill_of_key", (account, fill_key))
        if fill is None:
            key = fill_key.removeprefix("r:")
            found = self._queries.rows(_Place, "live_record_place", (key, account))
        else:
            found = self._queries.rows(_Place, "sightings_of_fill", (fill.id,))
        return [(place.file, place.line) for place in found]

    def log_days(self, first: date, end: date) -> set[date]:
        """Return the days in `[first, end)` that have a log file."""
        found = self._queries.values("log_days", (first.isoformat(), end.isoformat()))
        return {date.fromisoformat(day) for day in found if day}

    def first_log_day(self) -> date | None:
        """Return the day of the first log file."""
        return date_from_text(self._queries.value("first_log_day"))

    def has_due_records(self, now: datetime) -> bool:
        """Return whether the time of a held log line has passed."""
        held_us = self._queries.value("next_held")
        return held_us is not None and not is_ahead(from_micros(held_us), now)

    def unfinished_logs(self, first: date, end: date) -> list[str]:
        """Return the log files of `[first, end)` whose last line is incomplete."""
        return self._queries.values("unfinished_logs", (first.isoformat(), end.isoformat()))

    def log_usage(self, account: str | None) -> LogUsage:
        """Return how many streams of an account's trade log, or of all, are read as trades, and as fills."""
        return self._queries.row(LogUsage, "log_use", (account,)) or LogUsage(0, 0)

    def find_overlaps(self, instruments: Instruments) -> None:
        """Find and save the accounts and symbols that have both a trade log and imported fills.

        A log keeps a symbol as the bot spells it, so both names of one instrument are saved.
        """
        found: set[tuple[str, str]] = set()
        if self._queries.exists("any_statement"):
            logged: dict[str, list[str]] = defaultdict(list)
            for one in self._queries.rows(StreamRow, "log_stream_names"):
                logged[one.account].append(one.symbol)
            for account, symbols in logged.items():
                found.update(self._overlaps(account, symbols, instruments))
        self._queries.execute("put_meta", ("overlaps", json.encode(sorted(found)).decode()))

    def _overlaps(
        self, account: str, logged: list[str], instruments: Instruments
    ) -> Iterator[tuple[str, str]]:
        """Yield both names of each instrument that an account's log and its imported fills have."""
        span = self._queries.row(_SpanOfFills, "span_of_fills", (account,))
        if span is None or span.first_us is None or span.last_us is None:
            return
        names, roots, undated = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set), set()
        first, last = from_micros(span.first_us).year, from_micros(span.last_us).year
        for symbol in self._queries.values("filled_symbols", (account,)):
            spelled = instruments.spelled(symbol, date(last, 1, 1))
            names[spelled.name].add(symbol)
            if spelled.root is not None:
                roots[spelled.root].add(symbol)
            if spelled.is_undated:
                undated.add(symbol)
        for symbol in logged:
            same: set[str] = set()
            for year in range(first, last + 1):  # a one-digit year of a contract depends on it
                spelled = instruments.spelled(symbol, date(year, 1, 1))
                others = roots.get(spelled.root or "", set())
                same |= names.get(spelled.name, set()) | (others if spelled.is_undated else others & undated)
            for one in same:
                if self._queries.exists("imported_fill", (account, one)):
                    yield account, symbol
                    yield account, one

    def overlaps(self) -> list[tuple[str, str]]:
        """Return the saved accounts and symbols that have both a trade log and imported fills."""
        return json.decode(self._queries.value("get_meta", ("overlaps",)) or "[]", type=list[tuple[str, str]])


def find_other_multipliers(queries: Queries, instruments: Instruments, now: datetime) -> None:
    """Find and save the accounts whose imported fills have another multiplier than the instruments state now."""
    table = DoubtTable(queries)
    decided, found = table.absences(), defaultdict[tuple[str, str], list[_Multiplier]](list)
    stated: dict[str, Decimal | None] = {}
    for row in queries.rows(_Multiplier, "imported_multipliers"):
        now_stated = instruments.stated_multiplier(row.symbol, from_micros(row.last_us).date())
        if now_stated is None or now_stated == Decimal(row.multiplier):
            continue
        if multiplier_choice(row.symbol, now_stated) not in decided:
            stated[row.symbol] = now_stated
            found[row.account, row.symbol].append(row)
    new = []
    for (account, symbol), rows in found.items():
        number = sum(row.fills for row in rows)
        fills = f"{number:,} fill{'' if number == 1 else 's'} of {account} {symbol}"
        own = ", ".join(row.multiplier.lstrip("-") for row in rows)
        is_open = queries.exists("open_position_of_stream", (account, symbol))
        doubt = DoubtRow(
            source=multiplier_source(symbol),
            account=account,
            code=OTHER_MULTIPLIER,
            detail=f"{fills} are booked by {own} where the instruments state {abs(stated[symbol] or 0):f}",
            since_us=min(row.first_us for row in rows),
            until_us=to_micros(LATEST) if is_open else max(row.last_us for row in rows),
            found_us=to_micros(now),
            kept_in=0,
        )
        new.append(doubt)
    table.replace([one for one in table.all() if one.code == OTHER_MULTIPLIER], new)


def multiplier_source(symbol: str) -> str:
    """Return the name of the multiplier of an instrument among the sources."""
    return f"multiplier of {symbol}"


def multiplier_choice(symbol: str, stated: Decimal) -> str:
    """Return the name of the decision that fills keep their own multiplier where another one is stated."""
    return f"{multiplier_source(symbol)} beside {to_plain_string(stated)}"


class _Named(Struct, frozen=True):
    account: str | None = None


class _InstrumentList(Struct, frozen=True):
    """Symbols, roots and fee accounts named in the stored instruments file."""

    overrides: dict[str, object] = {}
    fees: tuple[_Named, ...] = ()


class DoubtTable:
    """Doubts of a ledger, and the sources that may be absent."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def all(self) -> list[DoubtRow]:
        """Return every doubt, by source."""
        return self._queries.rows(DoubtRow, "doubts")

    def within(self, account: str | None, since: datetime, until: datetime) -> list[DoubtRow]:
        """Return the doubts that concern an account, or any, in `[since, until)`."""
        found = self._queries.rows(DoubtRow, "doubts_within", (to_micros(until), to_micros(since)))
        if not found or account is None:
            return found
        concerned = {account, EVERY}
        if SourceFiles(self._queries).uses_trade_log(account):
            concerned.add(LOGGED)
        if any(one.account == INSTRUMENTS for one in found) and self._needs_instruments(account):
            concerned.add(INSTRUMENTS)
        return [one for one in found if one.account in concerned]

    def _needs_instruments(self, account: str) -> bool:
        """Return whether the stored instruments affect an account: an instrument it trades, or its fees."""
        text = self._queries.value("get_meta", (INSTRUMENTS,)) or "{}"
        kept = json.decode(text, type=_InstrumentList)
        if any(rule.account in (None, account) for rule in kept.fees):
            return True
        # a log has symbols as the bot spells them
        symbols = [
            " ".join(one.upper().split())
            for one in self._queries.values("symbols_of_account", (account, account))
        ]
        named = kept.overrides.keys()
        return any(
            named & {one, one.partition(" ")[0]}
            or ((contract := parse_contract(one, _ANY_DAY, named)) and contract.root in named)
            for one in symbols
        )

    def add(self, new: Iterable[DoubtRow]) -> None:
        """Save doubts."""
        self._queries.add(DoubtRow, new)

    def remove(self, old: Iterable[DoubtRow]) -> None:
        """Remove doubts."""
        self._queries.execute_many("remove_doubt", [(one.source, one.account, one.kept_in) for one in old])

    def replace(self, old: list[DoubtRow], new: list[DoubtRow]) -> bool:
        """Replace doubts by others, which keep the time at which they were found; return whether any changed."""
        before = {(one.source, one.account, one.kept_in): one for one in old}
        wanted = {(one.source, one.account, one.kept_in): one for one in new}
        added = [one for key, one in wanted.items() if not _is_same(one, before.get(key))]
        self.remove(one for key, one in before.items() if not _is_same(one, wanted.get(key)))
        self.add(added)
        return bool(added) or before.keys() != wanted.keys()

    def absences(self) -> dict[str, AbsenceRow]:
        """Return the sources that may be absent."""
        return {row.source: row for row in self._queries.rows(AbsenceRow, "absences")}

    def allow_absence(self, source: str, now: datetime, who: str) -> None:
        """Save that a source may be absent."""
        self.end_absence(source)
        self._queries.add(AbsenceRow, [AbsenceRow(source=source, at_us=to_micros(now), who=who)])

    def end_absence(self, source: str) -> None:
        """Remove that a source may be absent, because it is back."""
        self._queries.execute("remove_absence", (source,))


def _is_same(one: DoubtRow, other: DoubtRow | None) -> bool:
    return other is not None and (one.code, one.detail, one.since_us, one.until_us) == (
        other.code,
        other.detail,
        other.since_us,
        other.until_us,
    )
