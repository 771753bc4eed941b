"""Fills of a frame: its rows are written as a generic statement, which the importer reads as any other file."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.api.extras import load
from tearsheet.api.open_ledger import OpenedLedger
from tearsheet.app import arguments
from tearsheet.app.imports.formats import GENERIC_FILLS, generic_fields
from tearsheet.app.imports.import_file import ImportJob, import_file
from tearsheet.app.reports import ImportReport
from tearsheet.errors import FormatError, InputError, UsageError
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.trade.fill import DEFAULT_ACCOUNT

_NEEDED = ("symbol", "time", "quantity", "price")


class FrameOptions(Struct, frozen=True):
    """What the user states about a frame; `columns` names a field for each column that is called otherwise."""

    columns: Mapping[str, str] = {}
    timezone: ZoneInfo | None = None
    account: str = ""
    multiplier: object = None
    currency: str | None = None
    name: str = "frame"


def import_frame(home: OpenedLedger, fills: object, options: FrameOptions) -> ImportReport:
    """Import the fills of a frame. Raises UsageError, FormatError"""
    rows = _FrameRows(options)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fills.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            rows.write(file, records_of(fills))
        job = ImportJob(
            path=path,
            name=options.name,
            options=StatementOptions(timezone=options.timezone, layout=GENERIC_FILLS, decimal_mark="."),
            other_trades=True,
        )
        report = _import(home, job, options)
    if rows.floats:
        words = f"{rows.floats:,} numbers were floats, read by their shortest text"
        report.assumed = (*report.assumed, words)
    return report


def _import(home: OpenedLedger, job: ImportJob, options: FrameOptions) -> ImportReport:
    try:
        report = import_file(home.tracker, job)
    except FormatError as error:
        message = error.message.replace(str(job.path), options.name).replace("--timezone", "timezone=")
        hint = error.hint.replace("--timezone", "timezone=")
        raise FormatError(message, hint, error.lacks) from None
    if report.rejected and not (report.new or report.known):
        first = report.rejections[0]
        raise FormatError(
            f"{options.name}: no row could be used; row {first.line - 1}: {first.reason}", first.hint
        )
    return report


def records_of(fills: object) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a frame, an Arrow stream, or an iterable of mappings, as mappings. Raises UsageError."""
    if hasattr(fills, "iter_rows"):  # polars: without pyarrow
        yield from fills.iter_rows(named=True)
    elif hasattr(fills, "itertuples") and hasattr(fills, "columns"):  # pandas: without pyarrow
        names = [str(name) for name in fills.columns]
        for values in fills.itertuples(index=False, name=None):
            yield dict(zip(names, values, strict=True))
    elif hasattr(fills, "__arrow_c_stream__"):
        for batch in load("pyarrow", "reading an Arrow stream").RecordBatchReader.from_stream(fills):
            yield from batch.to_pylist()
    elif isinstance(fills, Iterable) and not isinstance(fills, str | bytes | Mapping):
        for number, row in enumerate(fills, 1):
            if not isinstance(row, Mapping):
                raise UsageError(
                    f"row {number} of the fills is a {type(row).__name__}, and not a mapping", "give dicts"
                )
            yield row
    else:
        raise UsageError(
            f"fills are a {type(fills).__name__}",
            "give a frame of polars or pandas, an Arrow stream, or dicts",
        )


class _FrameRows:
    """Writer of a frame's rows as a generic statement; it counts the floats."""

    def __init__(self, options: FrameOptions) -> None:
        self._options = options
        self._constants = {
            "account": options.account or DEFAULT_ACCOUNT,
            "multiplier": self._text(options.multiplier),
            "currency": options.currency or "",
        }
        self.floats = 0

    def write(self, file: io.TextIOBase, records: Iterator[Mapping[str, Any]]) -> None:
        """Write the rows with a header of the fields that the first row has. Raises FormatError, UsageError."""
        first = next(records, None)
        if first is None:
            raise FormatError(f"{self._options.name} has no rows", "give fills")
        fields = self._fields(first)
        stated = {key: text for key, text in self._constants.items() if text}
        head = list(dict.fromkeys([*fields.values(), *stated, "side", "commission"]))
        writer = csv.DictWriter(file, head, extrasaction="raise", lineterminator="\n")
        writer.writeheader()
        writer.writerow(self._row(first, fields, stated))
        for number, record in enumerate(records, 2):
            if record.keys() - fields.keys():
                raise UsageError(
                    f"row {number} has {', '.join(map(repr, record.keys() - fields.keys()))}, which row 1 has not",
                    "give each row the same keys; None is no value",
                )
            writer.writerow(self._row(record, fields, stated))

    def _fields(self, first: Mapping[str, Any]) -> dict[str, str]:
        """Return the field of each column. Raises UsageError for one that is no field, or that is missing."""
        known, named = generic_fields(), self._options.columns
        for column, field in named.items():
            if column not in first:
                raise UsageError(
                    f"columns names {column!r}, which the frame has not", arguments.nearest(column, first)
                )
            arguments.choice(field, f"columns[{column!r}]", known)
        fields = {str(column): named.get(column, str(column)) for column in first}
        for column, field in fields.items():
            if field not in known:
                raise UsageError(
                    f"column {column!r} is no field",
                    f"{arguments.nearest(field, known)} Say it with columns={{{column!r}: …}}, or drop it",
                )
        missing = [field for field in _NEEDED if field not in fields.values()]
        if missing:
            raise UsageError(
                f"the frame lacks {', '.join(missing)}", 'name its columns: columns={"Qty": "quantity"}'
            )
        return fields

    def _row(
        self, record: Mapping[str, Any], fields: Mapping[str, str], stated: Mapping[str, str]
    ) -> dict[str, str]:
        row = {**stated, **{fields[str(name)]: self._text(value) for name, value in record.items()}}
        for name, text in stated.items():
            row[name] = row[name] or text
        if not row.get("side"):
            row["side"], row["quantity"] = _signed(row["quantity"])
        return row

    def _text(self, value: Any) -> str:
        """Return a value as the statement's text; a float by its shortest one, no value as an empty one."""
        if value is None:
            return ""
        if isinstance(value, datetime | date):
            return "" if value != value else value.isoformat()
        if isinstance(value, bool | str | int | Decimal):
            return str(value)
        with suppress(TypeError, ValueError):
            number = float(value)
            if math.isnan(number):
                return ""
            self.floats += not isinstance(value, int)
            return format(Decimal(repr(number)), "f") if math.isfinite(number) else repr(number)
        return str(value)


def _signed(quantity: str) -> tuple[str, str]:
    """Return side and size of a signed quantity."""
    negative = quantity.startswith("-")
    return ("sell" if negative else "buy"), quantity[1:] if negative else quantity


def refuse_rejections(report: ImportReport) -> None:
    """Raise InputError with the first rejection of a report, if it has one."""
    for rejection in report.rejections:
        raise InputError(f"row {rejection.line - 1}: {rejection.reason}", rejection.hint)
