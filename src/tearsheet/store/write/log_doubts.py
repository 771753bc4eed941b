"""Rejections and doubts about trade-log lines: ahead of the clock, conflicting or contradictory."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal

from msgspec.structs import replace

from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.write.stored_record import StoredRecord
from tearsheet.trade.amount import EXACT, ZERO
from tearsheet.trade.fill import Rejection, TradeRecord, future_time
from tearsheet.trade.instrument import UnknownInstrument
from tearsheet.trade.session import CLOCK_TOLERANCE, LATEST, to_micros

#: Code of the doubt about an account whose log has executions and results.
MIXED = "mixed_log"
#: Bots round their results to cents.
_CENT = Decimal("0.01")
_MOST_NAMED = 5


def mixed_log(account: str, fills: Sequence[TradeRecord] = (), found_us: int = 0) -> DoubtRow:
    """Return the doubt whether a log's open records are executions, which are booked, although it has results."""
    times = [to_micros(fill.timestamp) for fill in fills]
    symbols = ", ".join(sorted({fill.symbol for fill in fills})[:_MOST_NAMED])
    return DoubtRow(
        source=f"log mode of {account}",
        account=account,
        code=MIXED,
        detail=f"the log of {account} has executions ({len(fills)} of {symbols}) and closed trades: both are booked",
        since_us=min(times, default=0),
        until_us=to_micros(LATEST),
        found_us=found_us,
        kept_in=0,
    )


def as_trades(account: str) -> str:
    """Return the name of the decision that the log of an account has results alone."""
    return f"{mixed_log(account).source} as trades"


def opposed_fills(
    before: Iterable[StoredRecord], symbol_of: Callable[[TradeRecord], str]
) -> list[TradeRecord]:
    """Return the open records of instruments in which some of them close what others opened."""
    fills = [record.to_record() for record in before]
    sides = {(symbol_of(fill), fill.action) for fill in fills}
    opposed = {symbol for symbol, side in sides if (symbol, side.opposite) in sides}
    return [fill for fill in fills if symbol_of(fill) in opposed]


def held_line(stored: StoredRecord, now: datetime) -> Rejection:
    """Return the rejection of a line that is ahead of the clock."""
    record = stored.to_record()
    said = future_time(stored.file, stored.line, record.short_text, record.last_time, now, stored.account)
    assert said.since is not None
    day = date.fromisoformat(stored.day) if stored.day else said.since.date()
    return replace(
        said,
        code="ahead_of_clock",
        since=min(said.since, datetime.combine(day, time(), UTC)),
        hint="the line is held, and counts from then on; check the bot's time zone and this machine's clock",
    )


def conflicting_order(superseded: StoredRecord, valid: StoredRecord) -> Rejection:
    """Return the rejection of a line that reuses an order ID on the same day with another time."""
    record = superseded.to_record()
    return _record_rejection(
        superseded,
        record,
        "conflicting_order",
        f"order {record.order_id} of {record.account} is logged again in {valid.file}, line {valid.line}, "
        "with another time; that line counts",
        "give each order an id of its own, or correct the line",
    )


def unknown_instrument(stored: StoredRecord, record: TradeRecord, unknown: UnknownInstrument) -> Rejection:
    """Return the rejection of an execution in an unknown instrument."""
    said = _record_rejection(stored, record, unknown.code, unknown.reason, unknown.hint)
    return replace(said, since=record.timestamp, until=record.timestamp)


def contradiction(stored: StoredRecord, record: TradeRecord) -> Rejection | None:
    """Return the rejection of a contradictory result, which counts nevertheless; None if it is consistent.

    A wrong word for the outcome changes no number; the others make the day partial.
    """
    net, gross, commission = record.net_profit_loss, record.profit_loss, record.commission
    leaving = record.exit_timestamp
    if leaving is not None and leaving < record.timestamp and record.timestamp - leaving > CLOCK_TOLERANCE:
        reason = f"the exit {leaving.isoformat()} is before the entry {record.timestamp.isoformat()}"
        return _record_rejection(
            stored, record, "contradiction", f"{reason}; the exit counts", "correct the line"
        )
    if net is not None and gross is not None and commission is not None:
        # by methods of the context, for each line of a log passes here, and to enter it takes as long as all of them
        excess = EXACT.subtract(EXACT.subtract(gross, commission), net)
        slippage = record.slippage or ZERO
        if EXACT.abs(excess) > _CENT and EXACT.abs(EXACT.subtract(excess, slippage)) > _CENT:
            reason = f"net_profit_loss {net} is not profit_loss {gross} − commission {commission}"
            return _record_rejection(
                stored, record, "contradiction", f"{reason}; {net} counts", "correct the line"
            )
    result = net if net is not None else EXACT.subtract(gross or ZERO, commission or ZERO)
    if (record.outcome == "win" and result < 0) or (record.outcome == "loss" and result > 0):
        reason = f"the outcome is {record.outcome}, and the net result {result}; the result counts"
        return _record_rejection(
            stored, record, "wrong_outcome", reason, "correct the bot; no number depends on it"
        )
    return None


def _record_rejection(
    stored: StoredRecord, record: TradeRecord, code: str, reason: str, hint: str
) -> Rejection:
    times = (record.timestamp, record.result_time)
    return Rejection(
        file=stored.file,
        line=stored.line,
        text=record.short_text,
        code=code,
        reason=reason,
        hint=hint,
        account=record.account,
        since=min(times),
        until=max(times),
    )
