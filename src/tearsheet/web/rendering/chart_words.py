"""Words of charts in a language, and the charts that pages and tear sheets share."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from tearsheet.export.bar_charts import BandLook, BandPoint, band_picture, distribution_picture
from tearsheet.export.plot import ChartWords, Picture, date_words
from tearsheet.performance.distribution import Distribution
from tearsheet.performance.rolling import RollingPoint
from tearsheet.trade.session import TradingCalendar
from tearsheet.web.rendering.locales import Locale

RollingName = Literal["win_rate", "expectancy"]


def chart_words(locale: Locale, currency: str, zone: ZoneInfo) -> ChartWords:
    """Return the formats of money on charts."""
    return ChartWords(
        lambda amount: locale.money(amount, currency, signed=True),
        lambda amount: locale.money(amount, currency),
        lambda text: locale.chart_mark(text, currency),
        zone,
    )


def r_words(locale: Locale, zone: ZoneInfo) -> ChartWords:
    """Return the formats of multiples of the initial risk."""
    return ChartWords(
        lambda amount: locale.format("r", amount, "", signed=True),
        lambda amount: locale.format("r", amount, ""),
        lambda text: locale.chart_mark(f"{text} R", ""),
        zone,
    )


def percent_words(locale: Locale, zone: ZoneInfo) -> ChartWords:
    """Return the formats of percentages; amounts are in percent, not fractions of 1."""

    def signed(amount: Decimal) -> str:
        return locale.return_percent(amount.scaleb(-2))

    return ChartWords(
        signed,
        lambda amount: signed(amount).lstrip("+"),
        lambda text: locale.chart_mark(f"{text}%", ""),
        zone,
    )


def distribution_chart(
    found: Distribution,
    of: str,
    locale: Locale,
    words: ChartWords,
    size: tuple[int, int],
    unit: str = "trades",
) -> Picture:
    """Return the distribution of results in money (`net`) or in R."""
    spoken = words if of == "net" else r_words(locale, words.zone)
    return distribution_picture(found, spoken, *size, found.mean, unit)


def rolling_chart(
    drawn: Sequence[RollingPoint],
    name: RollingName,
    locale: Locale,
    words: ChartWords,
    calendar: TradingCalendar,
    size: tuple[int, int],
    target: Decimal | None = None,
) -> Picture:
    """Return a rolling win rate or expectancy with its 95% interval."""
    is_rate = name == "win_rate"
    points = [
        BandPoint(
            calendar.trading_day_of(one.closed_at),
            f"Trade {one.number:,} · {date_words(calendar.trading_day_of(one.closed_at))}",
            one.win_rate if is_rate else one.expectancy,
            one.win_rate_low if is_rate else one.expectancy_low,
            one.win_rate_high if is_rate else one.expectancy_high,
        )
        for one in drawn
    ]
    look = BandLook(
        "Win rate" if is_rate else "Expectancy",
        locale.percent if is_rate else words.result,
        (lambda amount, step: locale.percent_rounded(amount)) if is_rate else words.short,
        target,
        with_zero=not is_rate,
    )
    return band_picture(points, look, *size)
