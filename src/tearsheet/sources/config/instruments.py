"""The instruments of this place: the packaged futures table and the user's own overrides."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from tearsheet import trade
from tearsheet.errors import SettingsError
from tearsheet.trade.amount import parse_amount
from tearsheet.trade.instrument import ASSET_CLASSES, InstrumentOverride, Instruments, futures_table


def load_instruments(overrides_file: Path | None, default_currency: str) -> Instruments:
    """The futures table with the overrides of a YAML file, where there is one.

    Each key is a symbol or a futures root and holds multiplier, currency, asset_class or tick.
    Raises SettingsError naming file, key, value and what is allowed.
    """
    table = (Path(trade.__file__).parent / "futures.csv").read_text("utf-8")
    return Instruments(futures_table(table), _overrides(overrides_file), default_currency)


def _overrides(path: Path | None) -> dict[str, InstrumentOverride]:
    if path is None:
        return {}
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{path} cannot be read: {reason}", "it is a YAML file") from None
    from tearsheet.sources.config.yaml import load_mapping  # a YAML parser, only where there is a file

    content = load_mapping(text, str(path))
    return {symbol.upper(): _override(str(path), symbol, rule) for symbol, rule in content.items()}


def _override(file: str, symbol: str, rule: Any) -> InstrumentOverride:
    if not isinstance(rule, dict):
        raise SettingsError(f"{file}: {symbol} is {rule!r}", "write it as {multiplier: 5, currency: USD}")
    for key in rule:
        if key not in ("multiplier", "currency", "asset_class", "tick"):
            raise SettingsError(
                f"{file}: {symbol}.{key} is unknown", "known are multiplier, currency, asset_class and tick"
            )
    asset_class = rule.get("asset_class")
    if asset_class is not None and asset_class not in ASSET_CLASSES:
        raise SettingsError(
            f"{file}: {symbol}.asset_class is {asset_class!r}", f"allowed is {', '.join(ASSET_CLASSES)}"
        )
    return InstrumentOverride(
        multiplier=_positive(file, symbol, "multiplier", rule),
        currency=_currency(file, symbol, rule),
        asset_class=asset_class,
        tick=_positive(file, symbol, "tick", rule),
    )


def _positive(file: str, symbol: str, key: str, rule: dict[str, Any]) -> Decimal | None:
    if key not in rule:
        return None
    try:
        value = parse_amount(rule[key]) if isinstance(rule[key], str) else Decimal(0)
    except ValueError:
        value = Decimal(0)
    if value <= 0:
        raise SettingsError(f"{file}: {symbol}.{key} is {rule[key]!r}", "allowed is a positive number")
    return value


def _currency(file: str, symbol: str, rule: dict[str, Any]) -> str | None:
    code = rule.get("currency")
    if code is None:
        return None
    if not (isinstance(code, str) and 3 <= len(code) <= 5 and code.isascii() and code.isalpha()):
        raise SettingsError(f"{file}: {symbol}.currency is {code!r}", "allowed is a code of 3 to 5 letters")
    return code.upper()
