"""Accounts: what somebody states of them, and what their balance comes to session by session."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from msgspec import Struct

from tearsheet.performance.tally import Tally
from tearsheet.trade.amount import ZERO, exact


class StatedAccount(Struct, frozen=True, omit_defaults=True):
    """Starting balance by currency, currency and calendar of an account; None where nobody states one."""

    starting_balance: dict[str, Decimal] | None = None
    currency: str | None = None
    timezone: str | None = None
    day_starts_at: str | None = None

    def start(self, currency: str) -> Decimal | None:
        """Return the starting balance in a currency: 0 beside others that are stated, None if none is."""
        return None if self.starting_balance is None else self.starting_balance.get(currency, ZERO)


class BalanceDay(Struct, frozen=True):
    """What a session did to a balance: balance = opening + result + flows + converted.

    `inflows` is what came in of flows and conversions. `opening` and `balance` are None without a starting balance.
    """

    session: date
    opening: Decimal | None
    gross: Decimal
    fees: Decimal
    carry: Decimal
    net_pnl: Decimal
    income: Decimal
    costs: Decimal
    tax: Decimal
    result: Decimal
    flows: Decimal
    converted: Decimal
    inflows: Decimal
    balance: Decimal | None


def balance_days(sessions: Iterable[tuple[date, Tally]], opening: Decimal | None) -> tuple[BalanceDay, ...]:
    """Return the sessions of one currency, in order, on top of the balance before them."""
    days = []
    balance = opening
    with exact():
        for session, tally in sessions:
            money, before = tally.money, balance
            balance = None if balance is None else balance + tally.balance_change
            days.append(
                BalanceDay(
                    session=session,
                    opening=before,
                    gross=tally.gross,
                    fees=tally.fees,
                    carry=tally.carry,
                    net_pnl=tally.curve.net,
                    income=money.income,
                    costs=money.costs,
                    tax=money.tax,
                    result=tally.result,
                    flows=money.flows,
                    converted=money.converted,
                    inflows=money.inflows,
                    balance=balance,
                )
            )
    return tuple(days)
