"""Number formats by language: separators, signs and the place of the currency.

The digits come from `words`; a locale replaces only the marks between them.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache

from msgspec import Struct

from tearsheet import words
from tearsheet.performance.metric import METRICS, MetricScalar, MetricValue, Unit

_THIN = "\u202f"
_NBSP = "\u00a0"
_MINUS = "\u2212"
_WHOLE = Context(prec=100, rounding=ROUND_HALF_EVEN)
_SYMBOLS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "CAD": "C$",
    "AUD": "A$",
    "INR": "₹",
    "BTC": "₿",
    "CNY": "CN¥",
    "KRW": "₩",
    "BRL": "R$",
}
#: By language: thousands separator, decimal mark, whether the currency follows the number.
_MARKS: dict[str, tuple[str, str, bool]] = {
    "en": (",", ".", False), "zh": (",", ".", False), "ja": (",", ".", False),
    "ko": (",", ".", False), "he": (",", ".", True), "th": (",", ".", False),
    "de": (".", ",", True), "es": (".", ",", True), "it": (".", ",", True),
    "nl": (".", ",", False), "da": (".", ",", True), "id": (".", ",", False),
    "pt": (".", ",", False), "tr": (".", ",", False), "el": (".", ",", True),
    "fr": (_THIN, ",", True), "pl": (_NBSP, ",", True), "cs": (_NBSP, ",", True),
    "sv": (_NBSP, ",", True), "nb": (_NBSP, ",", True), "fi": (_NBSP, ",", True),
    "ru": (_NBSP, ",", True), "uk": (_NBSP, ",", True), "hu": (_NBSP, ",", True),
    "de-ch": ("’", ".", False), "de-at": (_NBSP, ",", False), "es-mx": (",", ".", False),
    "en-za": (_NBSP, ",", False),
}  # fmt: skip


#: Decimals of prices from an amount on.
_PRICE_PLACES = ((Decimal(1000), 4), (Decimal("0.1"), 6), (Decimal(0), 10))
_SMALL_PRICE = Decimal("0.1")

#: Languages that write a space before the sign of a percentage.
_SPACED = frozenset(("cs", "da", "de", "es", "fi", "fr", "nb", "ru", "sv", "uk"))


class Locale(Struct, frozen=True):
    """Number format of a language; `tag` is its name, such as `de` or `de-ch`."""

    tag: str
    group: str
    point: str
    currency_follows: bool

    def number(self, value: MetricScalar) -> str:
        """Format a number with all its digits."""
        return words.NONE if value is None else self._localize(words.format_number(value))

    def money(self, value: MetricScalar, currency: str, *, signed: bool = False) -> str:
        """Format money with its currency; `signed` adds a plus to a gain."""
        if value is None:
            return words.NONE
        text = words.format_money(value)
        sign = _MINUS if text.startswith("-") else "+" if signed and _is_nonzero(text) else ""
        return sign + self._with_currency(self._localize(text.lstrip("-")), currency)

    def amount(self, value: MetricScalar) -> str:
        """Format money of an unknown currency, with two decimals."""
        text = self._localize(words.format_money(value))
        return _MINUS + text[1:] if text.startswith("-") else text

    def amount_rounded(self, value: MetricScalar, currency: str) -> str:
        """Format money without cents and with its sign; less than half a unit keeps its cents."""
        if value is None:
            return words.NONE
        rounded = _WHOLE.quantize(Decimal(str(value)), Decimal(1))
        if not rounded and value:
            return self.money(value, currency, signed=True)
        text = words.format_number(abs(rounded))
        sign = _MINUS if rounded < 0 else "+" if rounded else ""
        return sign + self._with_currency(self._localize(text), currency)

    def percent(self, value: MetricScalar) -> str:
        """Format a fraction of 1 as a percentage."""
        return words.NONE if value is None else self._localize(words.format_percent(value))

    def percent_rounded(self, value: MetricScalar) -> str:
        """Format a fraction of 1 as a whole percentage, for cells of a calendar and short tables."""
        if value is None:
            return words.NONE
        return self._localize(f"{_WHOLE.quantize(100 * Decimal(str(value)), Decimal(1))}%")

    def price(self, value: Decimal | None) -> str:
        """Format a price with at least two decimals; a mean price is rounded to those that a chart would show."""
        if value is None:
            return words.NONE
        places = next(places for least, places in _PRICE_PLACES if abs(value) >= least)
        text = words.format_number(_WHOLE.quantize(value, Decimal(1).scaleb(-places)))
        whole, _, decimals = text.partition(".")
        return self._localize(f"{whole}.{decimals:<02}" if abs(value) >= _SMALL_PRICE else text)

    def return_percent(self, value: MetricScalar) -> str:
        """Format a return as a percentage with its sign and two decimals, because most are small."""
        if value is None:
            return words.NONE
        text = words.format_money(Decimal(str(value)) * 100)
        sign = _MINUS if text.startswith("-") else "+" if _is_nonzero(text) else ""
        return f"{sign}{self._localize(text.lstrip('-'))}%"

    def format(self, unit: Unit, value: MetricScalar, currency: str, *, signed: bool = False) -> str:
        """Format a value in its unit; `signed` adds a plus, for changes."""
        if value is None:
            return words.NONE
        if unit == "money":
            return self.money(value, currency, signed=signed)
        text = self._localize(_format_unit(unit, value))
        plus = "+" if signed and not isinstance(value, str) and value > 0 else ""
        return plus + (_MINUS + text[1:] if text.startswith("-") else text)

    def change(self, unit: Unit, value: MetricScalar, currency: str) -> str:
        """Format the size of a change, whose direction an arrow shows; that of a percentage is in points."""
        text = self.format(unit, value, currency).lstrip(_MINUS)
        return f"{text.rstrip('%').rstrip(_NBSP)} pts" if unit == "percent" else text

    def metric(self, name: str, value: MetricValue, currency: str) -> str:
        """Format the value of a metric."""
        return self.format(METRICS[name].unit, value.value, currency)

    def chart_mark(self, text: str, currency: str) -> str:
        """Return a number of an axis in this language, with the sign of its currency if that is short."""
        local = self._localize(text)
        return self._with_currency(local, currency) if currency in _SYMBOLS else local

    def symbol(self, currency: str) -> str:
        """Return the sign of a currency, else its code."""
        return _SYMBOLS.get(currency, currency)

    def _with_currency(self, text: str, currency: str) -> str:
        symbol = _SYMBOLS.get(currency)
        if self.currency_follows:
            return f"{text}{_NBSP}{symbol or currency}"
        return f"{symbol}{text}" if symbol else f"{currency}{_NBSP}{text}"

    def _localize(self, text: str) -> str:
        spaced = text.replace("%", f"{_NBSP}%") if self.tag.partition("-")[0] in _SPACED else text
        return spaced.translate({ord(","): self.group, ord("."): self.point})


def _is_nonzero(text: str) -> bool:
    return bool(text.strip("-0.,"))


def _format_unit(unit: Unit, value: MetricScalar) -> str:
    if unit in ("day", "streak"):
        return str(value)
    if unit in ("count", "quantity"):
        return words.format_number(value)
    if unit == "percent":
        return words.format_percent(value)
    if unit == "seconds":
        return words.format_duration(value)
    return f"{words.format_money(value)} R" if unit == "r" else words.format_money(value)


@cache
def locale_of(tag: str) -> Locale:
    """Return the locale of a language tag, English for an unknown one."""
    language = tag if tag in _MARKS else tag.partition("-")[0]
    supported = language if language in _MARKS else "en"
    return Locale(supported, *_MARKS[supported])


def preferred_locale(tags: Iterable[str]) -> Locale:
    """Return the first supported locale of language tags in order of preference, else English."""
    for tag in tags:
        lower = tag.lower().replace("_", "-")
        if lower in _MARKS or lower.partition("-")[0] in _MARKS:
            return locale_of(lower)
    return locale_of("en")
