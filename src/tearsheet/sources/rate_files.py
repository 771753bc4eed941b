"""Files of exchange rates: the table `date,from,to,rate,source`, and the European Central Bank's own CSV and XML.

A file is good or refused as a whole: with one wrong rate a day would be wrong without a sign of it.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.parsers import expat

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import parse_amount, to_plain_string
from tearsheet.trade.fill import Rejection
from tearsheet.trade.rate import Rate
from tearsheet.trade.session import DATE_PATTERN
from tearsheet.trade.value_rule import COIN, COIN_PATTERN, ISO_DATE, InvalidValueError

#: The European Central Bank as the source of a rate.
ECB = "ecb"
COLUMNS = ("date", "from", "to", "rate", "source")
_EURO = "EUR"
_LARGEST = 64 << 20
_SHOWN = 200
_LONGEST_SOURCE = 100
#: Hundredths that brokers quote in, with their currency.
_HUNDREDTHS = {"GBX": "GBP", "GBPX": "GBP", "ZAC": "ZAR", "ILA": "ILS"}
_WANTED = f"a file of rates has the header {','.join(COLUMNS)}, or is the European Central Bank's eurofxref CSV or XML"
#: Two rates of one pair, one stated each way, may differ by the rounding of their last digits.
_ROUNDING = Decimal("0.01")
#: A line of a file with what it states: day, from, to, rate, source.
_Stated = tuple[int, Sequence[str]]


def read_content(path: Path) -> bytes:
    """Return the content of a file of rates. Raises InputError for one that is unreadable or too large."""
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path} is larger than {_LARGEST >> 20} MB", "split it by years")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check path and permissions") from None


def parse_content(content: bytes, name: str) -> list[tuple[int, Rate] | Rejection]:
    """Return the rates of a file with their lines, and what is wrong with others. Raises FormatError."""
    if content[:4] == b"PK\x03\x04":
        content = _only_member(content, name)
    if content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<":
        return made_of(_ecb_xml(content, name), name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{name} is not UTF-8: {error.reason} at byte {error.start}", _WANTED) from None
    if not (made := made_of(_csv_rows(text, name), name)):
        raise FormatError(f"{name} is a header without rates", _WANTED)
    return made


def made_of(stated: Iterable[_Stated | Rejection], file: str) -> list[tuple[int, Rate] | Rejection]:
    """Return the rates of texts, or why they are none; a rate that another line contradicts is rejected."""
    made: list[tuple[int, Rate] | Rejection] = []
    known: dict[tuple[date, str, str], tuple[int, Rate]] = {}
    for one in stated:
        if isinstance(one, Rejection):
            made.append(one)
            continue
        line, texts = one
        try:
            rate = rate_of(texts)
            _check_against(known, rate)
        except RowError as bad:
            made.append(bad.problem.rejection(file, line, ",".join(texts)))
            continue
        if (rate.day, *rate.pair) not in known:
            known[rate.day, *rate.pair] = line, rate
            made.append((line, rate))
    return made


def rate_of(texts: Sequence[str]) -> Rate:
    """Return the rate of day, from, to, rate and source as texts. Raises RowError."""
    day, one, other, number, source = (text.strip() for text in texts)
    for name, text in zip(COLUMNS, (day, one, other, number), strict=False):
        if not text:
            raise RowError("missing_field", f"{name} is empty", f"a rate states {', '.join(COLUMNS[:4])}")
    priced, money = _code("from", one), _code("to", other)
    if priced == money:
        raise RowError("bad_value", f"from and to are both {money}", "a rate is between two currencies")
    try:
        on = ISO_DATE.parse(day)
    except ValueError:
        raise RowError("bad_time", f"date is {day!r}", "allowed is a date, YYYY-MM-DD") from None
    if len(source) > _LONGEST_SOURCE or not source.isprintable():
        raise RowError("bad_value", "source is too long", f"at most {_LONGEST_SOURCE} printable characters")
    return Rate(on, priced, money, _positive(number), source)


def check_opposite(rate: Rate, opposite: Rate | None) -> None:
    """Raise RowError for a rate that is not the reciprocal of the opposite one of its day, within 1 %."""
    if opposite is not None and abs(rate.rate * opposite.rate - 1) > _ROUNDING:
        raise RowError(
            "contradiction",
            f"{rate.label} on {rate.day}, but {opposite.label} that day; is the pair swapped?",
            "state one of them; `tearsheet rates list` shows the stored ones",
        )


def _check_against(known: Mapping[tuple[date, str, str], tuple[int, Rate]], rate: Rate) -> None:
    """Raise RowError for a rate that contradicts one of another line."""
    line, same = known.get((rate.day, *rate.pair), (0, rate))
    if same.rate != rate.rate:
        raise RowError(
            "contradiction",
            f"{rate.label} on {rate.day}, but line {line} states {to_plain_string(same.rate)}",
            "a pair has one rate a day; remove the wrong line",
        )
    _, opposite = known.get((rate.day, rate.to_currency, rate.from_currency), (0, None))
    check_opposite(rate, opposite)


def _code(name: str, text: str) -> str:
    code = text.upper()
    if code in _HUNDREDTHS:
        raise RowError(
            "bad_value",
            f"{name} is {text!r}, a hundredth of {_HUNDREDTHS[code]}",
            f"state the rate of {_HUNDREDTHS[code]}",
        )
    try:
        return COIN.parse(text)
    except InvalidValueError as error:
        raise RowError("bad_value", f"{name} is {text!r}", str(error)) from None


def _positive(text: str) -> Decimal:
    try:
        value = parse_amount(text)
    except ValueError as error:
        raise RowError("bad_number", f"rate {error}", "allowed is a number above 0, such as 1.085") from None
    if value <= 0:
        raise RowError("bad_number", f"rate is {text}", "allowed is a number above 0, such as 1.085")
    return value


def _csv_rows(text: str, name: str) -> Iterator[_Stated]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    numbered = _numbered(rows, name)
    line, header = next(numbered, (0, []))
    names = [cell.casefold() for cell in header]
    if names[:1] == ["date"] and len(names) > 1 and not {"from", "to", "rate"} & set(names):
        yield from _ecb_csv(numbered, header, name)
        return
    missing = [column for column in COLUMNS[:4] if column not in names]
    unknown = [cell for cell in names if cell not in COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        said = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(unknown) or 'a column twice'}"
        raise FormatError(f"{name}, line {line}: the header {said}", _WANTED)
    places = [names.index(column) if column in names else -1 for column in COLUMNS]
    for line, cells in numbered:
        padded = [*cells, *[""] * (len(names) - len(cells))]
        texts = [padded[place] if place >= 0 else "" for place in places]
        yield line, [*texts[:4], texts[4] or name] if len(cells) <= len(names) else _too_wide(texts)


def _too_wide(texts: Sequence[str]) -> list[str]:
    """Return a row that has more cells than the header, so that its rate is refused."""
    return [*texts[:3], f"{texts[3]} and more cells than the header", texts[4]]


def _numbered(rows: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV reader that have text, with their lines. Raises FormatError."""
    try:
        for cells in rows:
            bare = [cell.strip() for cell in cells]
            while bare and not bare[-1]:
                bare.pop()
            if bare:
                yield rows.line_num, bare
    except csv.Error as error:
        raise FormatError(
            f"{name}, line {rows.line_num}: {error}", "check for a missing closing quote"
        ) from None


def _ecb_csv(rows: Iterator[tuple[int, list[str]]], header: Sequence[str], name: str) -> Iterator[_Stated]:
    codes = header[1:]
    if not all(re.fullmatch(COIN_PATTERN, code) for code in codes) or len(set(codes)) < len(codes):
        raise FormatError(f"{name}: the header {','.join(header)[:_SHOWN]} is not that of rates", _WANTED)
    for line, (day, *cells) in rows:
        for code, text in zip(codes, cells, strict=False):
            if text and text != "N/A":  # not published that day
                yield line, (_ecb_day(day), _EURO, code, text, ECB)
        if len(cells) > len(codes):
            yield line, (_ecb_day(day), _EURO, "", cells[len(codes)], ECB)


def _ecb_day(text: str) -> str:
    """Return a day as YYYY-MM-DD; the file of one day writes `01 December 2026`."""
    if re.fullmatch(DATE_PATTERN, text):
        return text
    try:
        return datetime.strptime(text, "%d %B %Y").date().isoformat()  # noqa: DTZ007
    except ValueError:
        return text


def _ecb_xml(content: bytes, name: str) -> Iterator[_Stated]:
    day = ""
    found = False
    for line, values in _xml_elements(content, name):
        day = values.get("time") or day
        if values.get("currency"):
            found = True
            yield line, (day, _EURO, values["currency"], values.get("rate", ""), ECB)
    if not found:
        raise FormatError(f"{name} is XML without rates", _WANTED)


def _xml_elements(content: bytes, name: str) -> list[tuple[int, dict[str, str]]]:
    found: list[tuple[int, dict[str, str]]] = []
    parser = expat.ParserCreate()

    def start(_: str, attributes: dict[str, str]) -> None:
        found.append((parser.CurrentLineNumber, attributes))

    def reject_doctype(*_: object) -> None:
        raise FormatError(f"{name} declares a document type, which no file of rates does", _WANTED)

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = reject_doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise FormatError(f"{name} is no XML: {error}", "download the file again") from None
    return found


def _only_member(content: bytes, name: str) -> bytes:
    """Return the one file of an archive, as the European Central Bank sends its history. Raises FormatError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) != 1 or members[0].file_size > _LARGEST:
                raise FormatError(f"{name} holds {len(members)} files, or one too large", "unpack it first")
            with archive.open(members[0]) as file:
                return file.read(_LARGEST + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise FormatError(f"{name} is a damaged archive: {error}", "download it again") from None
