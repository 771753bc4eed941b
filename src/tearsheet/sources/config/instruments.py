"""Instruments: the packaged futures table and the user's overrides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tearsheet import trade
from tearsheet.errors import SettingsError
from tearsheet.sources.config.fees import FEES
from tearsheet.trade.amount import ONE
from tearsheet.trade.instrument import ASSET_CLASSES, InstrumentOverride, Instruments, futures_table
from tearsheet.trade.value_rule import CURRENCY, InvalidValueError, ValueRule, number, one_of


def load_instruments(overrides_file: Path | None, default_currency: str) -> Instruments:
    """Return the futures table with the overrides of a YAML file, if it exists. Raises SettingsError."""
    return instruments_with(_load_overrides(overrides_file), default_currency)


def instruments_with(overrides: Mapping[str, InstrumentOverride], default_currency: str) -> Instruments:
    """Return the futures table with overrides."""
    table = (Path(trade.__file__).parent / "futures.csv").read_text("utf-8")
    return Instruments(futures_table(table), overrides, default_currency)


def _load_overrides(path: Path | None) -> dict[str, InstrumentOverride]:
    if path is None:
        return {}
    try:
        return overrides_in(path.read_text("utf-8"), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{path} cannot be read: {reason}", "it is a YAML file") from None


def overrides_in(text: str, file: str) -> dict[str, InstrumentOverride]:
    """Return the overrides of a YAML text.

    Each key is a symbol or a futures root and holds multiplier, currency, asset_class, tick or kind. Of the kind
    `inverse`, the multiplier is what a contract is worth, and the currency the coin that it is settled in.
    Raises SettingsError naming file, key, value and what is allowed.
    """
    from tearsheet.sources.config.yaml import load_mapping  # a YAML parser, only where there is a file

    content = load_mapping(text, file)
    content.pop(FEES, None)
    return {symbol.upper(): _override(file, symbol, rule) for symbol, rule in content.items()}


_POSITIVE = number("a positive number", above="0")
_RULES: dict[str, ValueRule[Any]] = {
    "multiplier": _POSITIVE,
    "currency": CURRENCY,
    "asset_class": one_of(*ASSET_CLASSES),
    "tick": _POSITIVE,
    "kind": one_of("linear", "inverse"),
}


def _override(file: str, symbol: str, fields: Any) -> InstrumentOverride:
    if not isinstance(fields, dict):
        raise SettingsError(f"{file}: {symbol} is {fields!r}", "write it as {multiplier: 5, currency: USD}")
    values = {}
    for key, value in fields.items():
        if key not in _RULES:
            raise SettingsError(
                f"{file}: {symbol}.{key} is unknown",
                "known are multiplier, currency, asset_class, tick and kind",
            )
        try:
            values[key] = _RULES[key].parse(value)
        except InvalidValueError as error:
            raise SettingsError(f"{file}: {symbol}.{key} is {value!r}", str(error)) from None
    if values.pop("kind", "linear") == "inverse":
        if "currency" not in values:
            raise SettingsError(
                f"{file}: {symbol} is inverse, and has no currency", "say the coin it is settled in"
            )
        # the sign is the kind, see `trade_value`
        values |= {"multiplier": -values.get("multiplier", ONE), "asset_class": "future"}
    return InstrumentOverride(**values)
