"""Replays drawn as SVG: cumulative results by day, as they were and as they would have been.

Written by hand with whole coordinates, so that the same replay gives the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import accumulate
from xml.sax.saxutils import escape

from tearsheet.rules.replay import Replay, ReplayDay
from tearsheet.trade.amount import plain
from tearsheet.words import money

WIDTH, PANEL = 960, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 24, 72, 40
_APART = 16
#: Told apart by dash and mark as well as by colour.
_STYLE = """\
text{font:13px system-ui,sans-serif;fill:#334155}
.title{font-size:16px;font-weight:600;fill:#0f172a}
.grid{stroke:#e2e8f0}.zero{stroke:#94a3b8}
.was{fill:none;stroke:#64748b;stroke-width:2;stroke-dasharray:5 4}
.stopped{fill:none;stroke:#0369a1;stroke-width:2.5}
.stop{fill:#fff;stroke:#b91c1c;stroke-width:2}
@media (prefers-color-scheme:dark){svg{background:#0f172a}text{fill:#cbd5e1}.title{fill:#f8fafc}
.grid{stroke:#1e293b}.zero{stroke:#475569}.was{stroke:#94a3b8}.stopped{stroke:#38bdf8}
.stop{fill:#0f172a;stroke:#f87171}}"""
_WHOLE = Context(prec=100, rounding=ROUND_HALF_EVEN)


def replay_svg(replays: Sequence[Replay]) -> str:
    """One panel an account: what was made, what would have been made, and each stop."""
    height = PANEL * max(len(replays), 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{WIDTH}" height="{height}">',
        "<title>Replay of limits</title>",
        f"<style>{_STYLE}</style>",
    ]
    for number, replay in enumerate(replays):
        lines += [f'<g transform="translate(0 {number * PANEL})">', *_panel(replay), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


class _Scale:
    """Where a day and an amount lie in a panel."""

    def __init__(self, days: int, amounts: Iterable[Decimal]) -> None:
        values = [Decimal(0), *amounts]
        self.low, self.high = min(values), max(values)
        self._days = max(days, 1)

    def x(self, day: int) -> int:
        """The place after so many days; 0 is before the first."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * day // self._days

    def y(self, amount: Decimal) -> int:
        span = self.high - self.low
        room = PANEL - _TOP - _BOTTOM
        share = _WHOLE.divide(self.high - amount, span) if span else Decimal(0)
        return _TOP + int(_WHOLE.quantize(share * room, Decimal(1)))

    def labelled(self) -> list[Decimal]:
        """The lowest and the highest amount, and 0; what would lie over the label of 0 is left out."""
        zero = self.y(Decimal(0))
        ends = [end for end in (self.low, self.high) if end and abs(self.y(end) - zero) > _APART]
        return sorted([Decimal(0), *ends])


def _panel(replay: Replay) -> Iterator[str]:
    days = replay.days
    was = list(accumulate((day.net for day in days), initial=Decimal(0)))
    stopped = list(accumulate((day.net_as_stopped for day in days), initial=Decimal(0)))
    scale = _Scale(len(days), [*was, *stopped])
    yield f'<text class="title" x="{_LEFT}" y="26">{escape(replay.account)}</text>'
    yield f'<text x="{_LEFT}" y="46">{escape(_sentence(replay))}</text>'
    for amount in scale.labelled():
        kind = "zero" if not amount else "grid"
        y = scale.y(amount)
        yield f'<path class="{kind}" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{money(amount)}</text>'
    yield _line("was", scale, was)
    yield _line("stopped", scale, stopped)
    yield from _marks(replay, scale, stopped)
    yield from _dates(days)


def _sentence(replay: Replay) -> str:
    verb = "saved" if replay.saved >= 0 else "cost"
    return (
        f"as it was {money(replay.net)} (dashed), as stopped {money(replay.net_as_stopped)},"
        f" {verb} {money(abs(replay.saved))} {replay.currency}; stops: {len(replay.stops)}"
    )


def _line(kind: str, scale: _Scale, amounts: list[Decimal]) -> str:
    points = " ".join(f"{scale.x(n)},{scale.y(amount)}" for n, amount in enumerate(amounts))
    return f'<polyline class="{kind}" points="{points}"/>'


def _marks(replay: Replay, scale: _Scale, stopped: list[Decimal]) -> Iterator[str]:
    """A ring at the end of each day that was stopped, with its words for those who point at it."""
    names = {day.session: number for number, day in enumerate(replay.days, 1)}
    for stop in replay.stops:
        number = names.get(stop.trading_day, 0)
        words = f"{stop.trading_day} {stop.limit} {plain(stop.value)} of {plain(stop.threshold)}"
        yield (
            f'<circle class="stop" cx="{scale.x(number)}" cy="{scale.y(stopped[number])}" r="5">'
            f"<title>{escape(words)}, saved {money(stop.saved)}</title></circle>"
        )


def _dates(days: tuple[ReplayDay, ...]) -> Iterator[str]:
    y = PANEL - 14
    if days:
        yield f'<text x="{_LEFT}" y="{y}">{days[0].session}</text>'
    if len(days) > 1:
        yield f'<text x="{WIDTH - _RIGHT}" y="{y}" text-anchor="end">{days[-1].session}</text>'
