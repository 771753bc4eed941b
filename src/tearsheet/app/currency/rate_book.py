"""Rates of a ledger, read as they are asked for, by the operator's terms."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from tearsheet.store.kept_accounts import kept_accounts
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.prices import RateTable, RowRate
from tearsheet.trade.rate import PIVOTS, Rates, UsedRate


class RateBook:
    """Rates into one base currency; use it inside one snapshot of the ledger."""

    def __init__(self, ledger: Ledger, base: str) -> None:
        self.base = base
        self._kept = kept_accounts(ledger)
        self.terms = self._kept.base
        self._table = RateTable(ledger.queries)
        self._days: dict[str, tuple[date, date]] = {}
        self._rates: dict[str, Rates] = {}

    def load(self, currencies: Iterable[str], first: date, last: date) -> None:
        """Read the rates of currencies for the sessions from the first to the last one, at once."""
        for currency in currencies:
            days = self._days.get(currency)
            if days is None or first < days[0] or last > days[1]:
                span = (first, last) if days is None else (min(first, days[0]), max(last, days[1]))
                self._days[currency] = span
                since = span[0] - timedelta(days=self.terms.max_age)
                self._rates[currency] = Rates(
                    self._table.between(self._pairs(currency), since, span[1]), self.terms
                )

    def find(self, currency: str, day: date) -> UsedRate | None:
        """Return the rate of a currency in the base in a session; None if there is none."""
        self.load((currency,), day, day)
        return self._rates[currency].find(currency, self.base, day)

    def of_rows(self, account: str | None, since: datetime, until: datetime) -> list[RowRate]:
        """Return the rates that rows state themselves, of accounts whose currency is the base."""
        found = self._table.of_rows(account, since, until)
        return [one for one in found if self._money_of(one.account) == self.base != one.currency]

    def _money_of(self, account: str) -> str | None:
        return self._kept.terms(account).currency or self.terms.currency

    def _pairs(self, currency: str) -> list[tuple[str, str]]:
        """Return the pairs, either way, of which the rate can be made."""
        pegs = {one for pair in self.terms.pegs.items() for one in pair}
        between = {*PIVOTS, *pegs}
        ways = {
            (currency, self.base),
            *((currency, one) for one in between),
            *((one, self.base) for one in between),
        }
        return sorted({pair for one, other in ways if one != other for pair in ((one, other), (other, one))})
