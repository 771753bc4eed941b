"""Metrics of accounts, or of all together, from the tallies of a lake: the numbers of a ledger's summary."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from msgspec import Struct

from tearsheet.app.analysis.summaries import with_idle_days
from tearsheet.bulk.books import by_account
from tearsheet.bulk.fill_schema import bucket_of
from tearsheet.bulk.lake import Lake, LakeSource
from tearsheet.bulk.run import TOTAL, BulkRun, bucket_part, published_run
from tearsheet.errors import NotFoundError
from tearsheet.performance.metric import Day, MetricInput, MetricValue, compute_all, curves_of, sum_and_days
from tearsheet.performance.tally import Tally
from tearsheet.store.tables.tallies import decode
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.session import Window, WindowKind


class BulkSummary(Struct, frozen=True, kw_only=True):
    """Results of an account, or of all where it is None, in one currency and window."""

    account: str | None
    currency: str
    start: date
    end: date
    metrics: dict[str, MetricValue]
    days: tuple[Day, ...]


class LakeSummaries:
    """Summaries of a lake's published books in one window."""

    def __init__(
        self,
        lake: Lake,
        now: datetime,
        kind: WindowKind = "all",
        start: date | None = None,
        end: date | None = None,
        currency: str | None = None,
    ) -> None:
        """Take the window as `tearsheet summary` does. Raises NotFoundError without books of the lake as it is."""
        self._lake, self._currency = lake, currency
        self._run: BulkRun = published_run(lake)
        self._calendar = lake.manifest.rules.calendar
        self._today = self._calendar.trading_day_of(now)
        self.window = Window.choose(kind, self._today, start, end)
        self._sources = {account: source for source in lake.sources for account in source.accounts}

    def of_account(self, account: str) -> list[BulkSummary]:
        """Return the summaries of an account, one a currency. Raises NotFoundError."""
        self._lake.source_of(account)
        tallies = self._run.table(self._lake, "tallies", bucket_part(self._bucket(account)))
        return [one for name, rows in by_account(tallies) if name == account for one in self._of(name, rows)]

    def of_accounts(self) -> Iterator[BulkSummary]:
        """Yield the summaries of all accounts, bucket by bucket."""
        for part in self._run.parts:
            if part != TOTAL:
                for account, rows in by_account(self._run.table(self._lake, "tallies", part)):
                    yield from self._of(account, rows)

    def of_all(self) -> list[BulkSummary]:
        """Return the summaries of all accounts together. Raises NotFoundError where the run has none."""
        if TOTAL not in self._run.parts:
            raise NotFoundError(
                f"the books of {self._lake.place.address} have no total",
                "`tearsheet bulk rebuild --total` makes it",
            )
        return list(self._of(None, self._run.table(self._lake, "tallies", TOTAL)))

    def _bucket(self, account: str) -> int:
        return bucket_of(account, self._lake.manifest.buckets)

    def _of(self, account: str | None, rows: Any) -> Iterator[BulkSummary]:
        columns = (rows.column(name).to_pylist() for name in ("currency", "session", "body"))
        tallies = [
            (currency, session, decode(body)) for currency, session, body in zip(*columns, strict=True)
        ]
        for currency, own in groupby(tallies, lambda one: one[0]):
            sessions = [(session, tally) for _, session, tally in own]
            inside = [one for one in sessions if self.window.start <= one[0] < self.window.end]
            if inside and currency == (self._currency or currency):
                yield self._summary(account, currency, sessions, inside)

    def _summary(
        self,
        account: str | None,
        currency: str,
        sessions: Sequence[tuple[date, Tally]],
        inside: list[tuple[date, Tally]],
    ) -> BulkSummary:
        tally, days = sum_and_days(inside)
        opening = self._opening(account, currency, sessions)
        measured = days if opening is None else with_idle_days(self._calendar, self._today, self.window, days)
        return BulkSummary(
            account=account,
            currency=currency,
            start=inside[0][0] if self.window.kind == "all" else self.window.start,
            end=self.window.last_day,
            metrics=compute_all(MetricInput(tally, tuple(measured), opening, curves=curves_of(inside))),
            days=tuple(days),
        )

    def _opening(
        self, account: str | None, currency: str, sessions: Sequence[tuple[date, Tally]]
    ) -> Decimal | None:
        """Return the balance before the window; None where no starting balance is stated."""
        sources = self._lake.sources if account is None else [self._sources[account]]
        starts = [_start(source, account, currency) for source in sources]
        if None in starts:
            return None
        with exact():
            earlier = (tally.balance_change for session, tally in sessions if session < self.window.start)
            return sum((start for start in starts if start is not None), ZERO) + sum(earlier, ZERO)


def _start(source: LakeSource, account: str | None, currency: str) -> Decimal | None:
    """Return the starting balance of an account, or of all of a source; that of its ledger where none states one."""
    terms = source.terms
    if not terms.states_balances:
        return source.starting_balance
    if account is not None:
        return terms.terms(account).start(currency)
    if any(terms.terms(one).starting_balance is None for one in source.accounts):
        return None
    with exact():
        return sum((one.start(currency) or ZERO for one in terms.accounts.values()), ZERO)
