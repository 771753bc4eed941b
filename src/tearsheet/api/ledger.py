"""The public ledger: an immutable scope over one open ledger, whose verbs read tables, metrics and reports."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

from msgspec.structs import replace

from tearsheet.api.metrics import SummaryMetrics
from tearsheet.api.notebook import Chart, Report, ledger_html
from tearsheet.api.open_ledger import OpenedLedger
from tearsheet.api.packing import MONEY, Money, pack_chunks, with_money
from tearsheet.api.table import ArrowStream, Table
from tearsheet.app import arguments
from tearsheet.app.analysis.table_columns import TABLES, TableName
from tearsheet.app.analysis.table_rows import TableRows, TableScope
from tearsheet.app.reports import ExplainedTrade, Explanation, ImportReport, SyncReport
from tearsheet.errors import UsageError
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PartialReason, PerformanceSummary, Scope
from tearsheet.rules.limit import Limits
from tearsheet.rules.replay import Replay
from tearsheet.rules.verdict import Verdict
from tearsheet.trade.session import Window

SummaryWindow = Literal["all", "daily", "weekly", "monthly", "quarterly", "yearly"]
_WINDOWS: tuple[SummaryWindow, ...] = get_args(SummaryWindow)


class PartialWarning(UserWarning):
    """Something may be missing in what was read; said once for each scope and state of the ledger."""


class ScopedLedger:
    """A ledger, or a part of it: `where` and `between` narrow it, and verbs read one snapshot each.

    `ts.open` and `ts.from_fills` make it. Close it, or use it in a `with` block.
    """

    def __init__(self, home: OpenedLedger, chosen: TableScope | None = None) -> None:
        self._home, self._chosen = home, chosen or TableScope()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger; tables that were read stay valid."""
        self._home.close()

    @property
    def revision(self) -> int:
        """Return the ledger's revision: the number of its changes so far."""
        return self._home.tracker.revision

    @property
    def scope(self) -> str:
        """Return what it shows, as text."""
        return self._chosen.label

    @contextmanager
    def snapshot(self) -> Iterator["ScopedLedger"]:
        """Hold one state of the ledger: all verbs inside the block read it."""
        with self._home.tracker.ledger.snapshot():
            yield self

    def where(
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        symbol: str | None = None,
        mode: Literal["PAPER", "LIVE"] | None = None,
        tag: str | None = None,
        currency: str | None = None,
    ) -> "ScopedLedger":
        """Return the part of an account, strategy, symbol, mode, tag or currency.

        Raises UsageError with the nearest known name for one that the ledger does not have.
        """
        own = self._chosen.scope
        wanted = {
            "account": account, "strategy": strategy, "symbol": symbol,
            "mode": mode, "tag": tag, "currency": currency,
        }  # fmt: skip
        self._home.check_filters(**wanted)
        scope = Scope(
            account or own.account, strategy or own.strategy, symbol or own.symbol, mode or own.mode
        )
        chosen = replace(
            self._chosen, scope=scope, tag=tag or self._chosen.tag, currency=currency or self._chosen.currency
        )
        return ScopedLedger(self._home, chosen)

    def between(self, start: date | str | None = None, end: date | str | None = None) -> "ScopedLedger":
        """Return the part from a trading day to another, both included; one may be left out. Raises UsageError."""
        first, last = arguments.day(start, "start"), arguments.day(end, "end")
        chosen = replace(self._chosen, start=first or self._chosen.start, end=last or self._chosen.end)
        chosen.window  # noqa: B018 - raises UsageError for days out of order
        return ScopedLedger(self._home, chosen)

    def fills(self, *, money: Money = "decimal") -> Table:
        """Return the executions."""
        return self._table("fills", money)

    def trades(self, *, money: Money = "decimal") -> Table:
        """Return the closed positions, flat to flat."""
        return self._table("trades", money)

    def positions(self, *, money: Money = "decimal") -> Table:
        """Return the open positions, as of now."""
        return self._table("positions", money)

    def bookings(self, *, money: Money = "decimal") -> Table:
        """Return the effects of fills on positions; they add up to days by `session`, to trades by `trade_id`."""
        return self._table("bookings", money)

    def days(self, *, money: Money = "decimal") -> Table:
        """Return the sessions with a result."""
        return self._table("days", money)

    def returns(self, *, idle: bool = True, money: Money = "decimal") -> Table:
        """Return the daily returns: result ÷ (balance before + inflows); `idle` exchange days count as 0.

        Raises UsageError without a balance, MixedCurrencyError.
        """
        return self._table("returns", money, idle=idle)

    def equity(self, *, money: Money = "decimal") -> Table:
        """Return balance, high and drawdown by session. Raises MixedCurrencyError."""
        return self._table("equity", money)

    def rejections(self) -> Table:
        """Return the lines that could not be used."""
        return self._table("rejections", "decimal", warns=False)

    def summary(self, window: SummaryWindow = "all") -> PerformanceSummary:
        """Return the summary of the scope, judged by targets and limits; else of a window as of now.

        Raises UsageError, MixedCurrencyError.
        """
        return self._home.judged(self._window(window), self._untagged("a summary")).summary

    def metrics(self, window: SummaryWindow = "all") -> SummaryMetrics:
        """Return every metric by its name. Raises UsageError, MixedCurrencyError."""
        summary = self.summary(window)
        return SummaryMetrics(summary.metrics, self._of(summary.freshness.revision, bool(summary.partial)))

    def verdict(self) -> list[Verdict]:
        """Return the verdict of each account with limits, or of the one account of the scope."""
        return self._home.verdicts(self._account_only("a verdict").account)

    def replay(self, limits: str | Path | Mapping[str, object] | Limits | None = None) -> list[Replay]:
        """Apply limits to history: of a YAML file, a mapping as in it, or by default the targets file.

        Raises SettingsError, UsageError, MixedCurrencyError.
        """
        scope, chosen = self._account_only("a replay"), self._chosen
        return self._home.replay(limits, chosen.start, chosen.end, scope.account, chosen.currency)

    def explain(self, what: str) -> Explanation | ExplainedTrade:
        """Return the fills behind a metric of the scope, or behind a trade by its id. Raises NotFoundError."""
        if arguments.text(what, "what") in METRICS:
            chosen = self._untagged("an explanation")
            return self._home.explain(what, self._window("all"), chosen)
        return self._home.explain_trade(what)

    def report(self, path: str | Path | None = None, *, html: bool = True) -> Path | Report:
        """Write the tear sheet of the scope and return its path; without a path, return a `Report`.

        `html=False` is Markdown. Raises UsageError, InputError, MixedCurrencyError.
        """
        made = self._home.report(self._window("all"), self._untagged("a report"), html=html)
        return made if path is None else made.write(arguments.path(path, "path"))

    def chart(self) -> Chart:
        """Return the picture of cumulative P&L and drawdown."""
        return self._home.chart(self._window("all"), self._untagged("a chart"))

    def import_file(
        self, path: str | Path, *, timezone: str | None = None, account: str | None = None
    ) -> ImportReport:
        """Import a statement or trade log. Raises UsageError unless the ledger is open for writing."""
        tracker = self._home.writable("import_file")
        zone = arguments.zone(timezone)
        named = arguments.text(account, "account")
        return tracker.import_file(arguments.path(path, "path"), timezone=zone, account=named)

    def add_fills(
        self,
        fills: ArrowStream | Iterable[Mapping[str, object]],
        *,
        columns: Mapping[str, str] | None = None,
        timezone: str | None = None,
        account: str | None = None,
        name: str = "frame",
    ) -> ImportReport:
        """Import the fills of a frame, as `from_fills` reads it; what is known is skipped."""
        from tearsheet.api.frames import FrameOptions, import_frame  # only for frames

        self._home.writable("add_fills")
        options = FrameOptions(columns or {}, arguments.zone(timezone), account or "", name=name)
        return import_frame(self._home, fills, options)

    def sync(self) -> SyncReport:
        """Import the new records of the trade logs. Raises UsageError unless the ledger is open for writing."""
        return self._home.writable("sync").sync()

    @property
    def imported(self) -> ImportReport | None:
        """Return the report of the import that `from_fills` made; None for another ledger."""
        return self._home.imported

    def _table(self, name: TableName, money: Money, *, idle: bool = True, warns: bool = True) -> Table:
        columns = with_money(TABLES[name], arguments.choice(money, "money", MONEY))
        tracker = self._home.tracker
        with tracker.ledger.snapshot():
            reasons = self._partial_reasons()
            rows = TableRows(tracker, self._chosen).of(name, idle=idle)
            chunks = list(pack_chunks(columns, rows))
            of = self._of(tracker.revision, bool(reasons))
        if reasons and warns:
            self._warn(reasons)
        return Table(name, columns, chunks, of)

    def _partial_reasons(self) -> list[PartialReason]:
        return self._home.partial_reasons(self._chosen)

    def _warn(self, reasons: list[PartialReason]) -> None:
        key = (self._chosen, self.revision)
        if key not in self._home.warned:
            self._home.warned.add(key)
            words = "; ".join(f"{reason.detail} ({reason.code})" for reason in reasons)
            warnings.warn(PartialWarning(f"{words}; see ledger.rejections()"), stacklevel=4)

    def _of(self, revision: int, is_partial: bool) -> str:
        return f"{self.scope} · revision {revision} · {'partial' if is_partial else 'complete'}"

    def _window(self, window: SummaryWindow) -> Window:
        kind = arguments.choice(window, "window", _WINDOWS)
        tracker, chosen = self._home.tracker, self._chosen
        if chosen.start is None and chosen.end is None:
            return tracker.window(kind)
        if kind != "all":
            raise UsageError(f"dates and window={kind!r} contradict each other", "leave one of them out")
        return tracker.window("all", start=chosen.start, end=chosen.end)

    def _untagged(self, what: str) -> TableScope:
        if self._chosen.tag is not None:
            raise UsageError(f"{what} has no tags", "trades(), positions() and bookings() have")
        return self._chosen

    def _account_only(self, what: str) -> Scope:
        scope = self._untagged(what).scope
        if scope.needs_row_filter:
            raise UsageError(f"{what} is of whole accounts", "filter by account only")
        return scope

    def __repr__(self) -> str:
        home = self._home
        state = f"revision {self.revision}" if home.is_open else "closed"
        return f"<tearsheet ledger {home.name}: {self.scope} · {state}>"

    def _repr_html_(self) -> str:
        if not self._home.is_open:
            return ledger_html(repr(self), None)
        return ledger_html(self._home.name, self.summary())
