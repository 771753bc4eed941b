"""Detection of a file: kind, encoding, separator, layout, and the line of its header."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.files.compound_file import MAGIC
from tearsheet.sources.files.csv_rows import CsvPosition, CsvTable
from tearsheet.sources.files.refused import reject_archive, reject_unsupported
from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.layouts.catalogue import LayoutSelector
from tearsheet.sources.layouts.header import header_places, normalize_name
from tearsheet.sources.layouts.json_rows import JSON_HEADER, JsonLines
from tearsheet.sources.layouts.layout import FIELDS, JSON_LINES, DetectionColumns, Kind, Layout
from tearsheet.sources.layouts.mapping import FeeSign, mapped_layout
from tearsheet.sources.text import encoding as texts
from tearsheet.sources.text.lines import Lines, truncate
from tearsheet.sources.translations.activity_events import ActivityEvents
from tearsheet.sources.translations.coin_ledger import CoinLedger, LedgerPlaces
from tearsheet.sources.translations.ibkr_activity import ActivityTable
from tearsheet.sources.translations.metatrader import MetaTraderTable

_HEAD = 1 << 16
_HEADER_WITHIN = 3000
_LONGEST_HEADER = 10_000
_OBJECTS = 1000
_POSITIONS, _ACTIVITY = "metatrader5_positions", "ibkr_activity"
#: The layout of each part of a report.
_METATRADER = {"deals": "metatrader5_deals", "closed": "metatrader4_statement", "positions": _POSITIONS}
#: Characters around the text of a line with one cell.
_BLANK = ' \t\r\n,;"'


class DetectedFile(Struct, frozen=True):
    """Detected file: how to read it, and the values stated above its header."""

    layout: Layout
    kind: Kind
    position: CsvPosition
    table: TableSource
    preamble: dict[str, str] = {}
    is_json_lines: bool = False


class FileKind(Struct, frozen=True):
    """Kind and encoding of a file, detected from its first bytes."""

    kind: Kind
    encoding: str
    first_line: str


def detect_kind(path: Path) -> FileKind:
    """Detect the kind and encoding of a file. Raises InputError if it cannot be read."""
    head = _first_bytes(path)
    reject_unsupported(path, head)
    if head.startswith(b"PK\x03\x04"):
        reject_archive(path)
        return FileKind("xlsx", "", "")
    if head.startswith(MAGIC):
        return FileKind("xlsx", "", "")
    if head.startswith(b"SQLite format 3\0"):
        return FileKind("sqlite", "", "")
    encoding = texts.encoding_of(head)
    text = head.decode(encoding, "replace").lstrip("\ufeff")
    first = next((line.lstrip() for line in text.splitlines() if line.strip()), "")
    if first.startswith("<"):
        is_html = re.search(r"<(?:!doctype html|html|table)\b", text, re.IGNORECASE) is not None
        return FileKind("html" if is_html else "xml", encoding, first)
    return FileKind("json" if first.startswith(("{", "[")) else "csv", encoding, first)


def detect_layout(
    path: Path,
    known: Mapping[str, Layout],
    wanted: str | None,
    mapping: Mapping[str, str],
    fee_sign: FeeSign | None,
    constants: Mapping[str, str] = {},
) -> DetectedFile:
    """Detect the layout of a file and the line of its header. Raises InputError, FormatError."""
    sniffed = detect_kind(path)
    if sniffed.kind == "json" and _is_json_lines(path, sniffed, wanted):
        return _detect_json_lines(path, sniffed, known["generic_fills"])
    if mapping:
        return _detect_mapped(
            path, sniffed, mapped_layout(mapping, known["generic_fills"], fee_sign, constants)
        )
    try:
        detected = _with_events(_as_trades(_detect_by_names(path, sniffed, known, wanted)))
    except FormatError:
        translated = _detect_translated(path, sniffed, known, wanted)
        if translated is None:
            raise
        return _with_events(translated)
    # A whole report lists its positions above its deals; those count.
    whole = _detect_translated(path, sniffed, known, wanted) if detected.layout.name == _POSITIONS else None
    return (
        detected
        if whole is None
        else structs.replace(whole, preamble={**detected.preamble, **whole.preamble})
    )


def _with_events(detected: DetectedFile) -> DetectedFile:
    """Return an activity statement with the events of its other parts; other files as they are."""
    if detected.layout.name != _ACTIVITY or "Event" not in {rule.column for rule in detected.layout.rows}:
        return detected
    table = ActivityEvents(detected.table, detected.position.header, detected.position.header_line)
    return structs.replace(
        detected, position=structs.replace(detected.position, header=table.header), table=table
    )


def _as_trades(detected: DetectedFile) -> DetectedFile:
    """Return a ledger of coins as the trades that its rows are of; other files as they are."""
    layout, rules = detected.layout, detected.layout.ledger
    if rules is None:
        return detected
    names, places = (
        header_places(detected.position.header),
        layout.match_header(detected.position.header) or {},
    )
    missing = [name for name in (rules.kind, *rules.group) if normalize_name(name) not in names]
    missing += [name for name in ("time", "symbol", "quantity") if name not in places]
    if missing:
        raise FormatError(
            f"the ledger of coins has no column for {', '.join(missing)}",
            "download it again; its rows are put together by them",
        )
    table = CoinLedger(
        detected.table,
        LedgerPlaces(
            time=places["time"],
            coin=places["symbol"],
            amount=places["quantity"],
            kind=names[normalize_name(rules.kind)],
            group=tuple(names[normalize_name(name)] for name in rules.group),
            kind_name=rules.kind,
            trades=frozenset(map(str.casefold, rules.trades)),
            fees=frozenset(map(str.casefold, rules.fees)),
            coins=layout.coin_names,
            fee=places.get("commission"),
            fill_id=places.get("fill_id"),
        ),
        detected.position.header_line,
    )
    fields = {name: [name] for name in table.header if name != rules.kind}
    layout = structs.replace(
        layout, columns=fields, optional={}, recognised_by=DetectionColumns(), coin_names={}, ledger=None
    )
    position = structs.replace(detected.position, header=table.header)
    return structs.replace(detected, layout=layout, position=position, table=table)


def _detect_by_names(
    path: Path, sniffed: FileKind, known: Mapping[str, Layout], wanted: str | None
) -> DetectedFile:
    if sniffed.kind == "csv" or (sniffed.kind == "json" and wanted == "generic_fills"):
        return _detect_csv(path, sniffed.encoding, known, wanted)
    if wanted == "generic_fills":
        known = {**known, wanted: structs.replace(known[wanted], kinds=(sniffed.kind,))}
    return _detect_in_tables(path, sniffed, known, wanted)


def _detect_translated(
    path: Path, sniffed: FileKind, known: Mapping[str, Layout], wanted: str | None
) -> DetectedFile | None:
    """Detect a report in a language other than English by the positions of its texts; None for another file."""
    if sniffed.kind not in ("csv", "html", "xlsx"):
        return None
    separator = _usual_separator(path, sniffed.encoding) if sniffed.kind == "csv" else ""
    tables = [CsvTable(path, sniffed.encoding, separator)] if separator else _open_tables(path, sniffed)
    for grid in tables:
        report, activity = MetaTraderTable(grid), ActivityTable(grid)
        table = report if report.header else activity
        name = _METATRADER[report.part] if report.part else _ACTIVITY
        if table.header and name in known and wanted in (None, name):
            position = CsvPosition(sniffed.encoding, separator, table.header, table.header_at)
            values = header_values(known[name], table.stated)
            return DetectedFile(known[name], sniffed.kind, position, table, values)
    return None


def _usual_separator(path: Path, encoding: str) -> str:
    """Return the separator that most lines with several cells have."""
    with Lines(path, encoding) as lines:
        counts = Counter(
            texts.separator_of(line)
            for line in itertools.islice(lines, _HEADER_WITHIN)
            if max(map(line.count, texts.SEPARATORS)) > 1
        )
    return counts.most_common(1)[0][0] if counts else ","


def header_rows(path: Path, encoding: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the number, separator and cells of every line that can be a header."""
    with Lines(path, encoding) as lines:
        for number, line in enumerate(itertools.islice(lines, _HEADER_WITHIN), 1):
            if line.strip():
                separator = texts.separator_of(line)
                # Cells beyond any header are cut, for the csv module raises at endless ones.
                yield (number, separator, next(csv.reader([line[:_LONGEST_HEADER]], delimiter=separator)))


def open_rows(path: Path, sniffed: FileKind) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the rows of a file other than CSV that can be a header, as `header_rows` does without a separator."""
    for grid in _open_tables(path, sniffed):
        for cells, problem in itertools.islice(grid.rows(0), _HEADER_WITHIN):
            if problem is None and "".join(cells).strip():
                yield grid.line, "", cells


def _detect_csv(path: Path, encoding: str, known: Mapping[str, Layout], wanted: str | None) -> DetectedFile:
    """Detect the layout by the first line that is the header of one."""
    choice = LayoutSelector(str(path), known, wanted)
    for number, separator, header in header_rows(path, encoding):
        layout = choice.select(header)
        if layout is None:
            if choice.has_seen_enough:
                break
            continue
        shape = CsvPosition(encoding, separator, header, number)
        grid = CsvTable(path, encoding, separator)
        above = _lines_above(path, encoding, number) if layout.preamble or layout.titles else []
        return DetectedFile(layout, "csv", shape, grid, header_values(layout, above, separator))
    raise choice.no_match_error() or empty_file_error(path, "holds no text")


def _lines_above(path: Path, encoding: str, line: int) -> list[str]:
    with Lines(path, encoding) as lines:
        return list(itertools.islice(lines, line - 1))


def header_values(layout: Layout, above: Sequence[str], separator: str = ",") -> dict[str, str]:
    """Return the values that the lines above the table state, by the patterns of the layout.

    A line is compared as written, and as its cells that are not empty, whatever separates and quotes them.
    """
    fields = {}
    lines = [*above, *(",".join(filter(None, cells)) for cells in csv.reader(above, delimiter=separator))]
    for field, pattern in layout.preamble.items():
        search = re.compile(pattern, re.IGNORECASE).search
        match = next((m for text in lines if (m := search(text.strip()))), None)
        if match is not None:
            fields[field] = match[1].strip()
    title = next((bare for text in reversed(above) if (bare := text.strip(_BLANK))), "")
    if layout.titles and title:
        fields[layout.titles] = title
    return fields


def _detect_in_tables(
    path: Path, sniffed: FileKind, known: Mapping[str, Layout], wanted: str | None
) -> DetectedFile:
    """Detect the layout by the first row of a table that is the header of one."""
    choice = LayoutSelector(str(path), known, wanted, sniffed.kind)
    above: list[str] = []
    for grid in _open_tables(path, sniffed):
        for cells, problem in itertools.islice(grid.rows(0), _HEADER_WITHIN):
            if problem is not None or not "".join(cells).strip():
                continue
            layout = choice.select(cells)
            if layout is None:
                if choice.has_seen_enough:
                    break
                above.append(",".join(cell for cell in cells if cell))
                continue
            shape = CsvPosition(sniffed.encoding, "", list(cells), grid.resume_after)
            return DetectedFile(layout, sniffed.kind, shape, grid, header_values(layout, above))
    raise choice.no_match_error() or empty_file_error(path, "contains no table")


def _open_tables(path: Path, sniffed: FileKind) -> Sequence[TableSource]:
    """Return the tables of a file other than CSV; its reader is imported only if needed."""
    if sniffed.kind == "html":
        from tearsheet.sources.files.html import HtmlTables

        return [HtmlTables(path, sniffed.encoding)]
    if sniffed.kind == "xlsx":
        from tearsheet.sources.files.excel import ExcelSheets

        return [ExcelSheets(path)]
    if sniffed.kind == "xml":
        from tearsheet.sources.files.xml import XmlElements

        return [XmlElements(path)]
    if sniffed.kind == "sqlite":
        from tearsheet.sources.files.freqtrade import read_database_tables

        return read_database_tables(path)
    from tearsheet.sources.files.json_tables import read_json_tables

    return read_json_tables(path, sniffed.encoding)


def _is_json_lines(path: Path, sniffed: FileKind, wanted: str | None) -> bool:
    """Return whether the lines are generic JSON fills; broker formats have other keys."""
    if wanted is not None:
        return wanted == JSON_LINES
    objects = itertools.islice(JsonLines(path, sniffed.encoding).objects(), _OBJECTS)
    keys = [content.keys() for content in objects]
    others = any({"transaction_time", "execid", "activity_type"} & names for names in keys)
    return any({"symbol", "side", "price"} <= names for names in keys) and not others


def _detect_json_lines(path: Path, sniffed: FileKind, layout: Layout) -> DetectedFile:
    objects = list(itertools.islice(JsonLines(path, sniffed.encoding).objects(), _OBJECTS))
    if not any({"symbol", "side", "price"} <= content.keys() for content in objects):
        seen = ", ".join(objects[0]) if objects else "no JSON object"
        raise FormatError(
            f"{path}: no layout fits its keys: {truncate(seen, 500)}",
            f"a JSON Lines file of fills needs: {', '.join(layout.needed)}",
        )
    others = {field: [field] for field in FIELDS if field not in layout.columns}
    layout = structs.replace(layout, optional=others)
    position = CsvPosition(sniffed.encoding, "", [*JSON_HEADER], 0)
    return DetectedFile(layout, "json", position, JsonLines(path, sniffed.encoding), {}, True)


def _detect_mapped(path: Path, sniffed: FileKind, layout: Layout) -> DetectedFile:
    """Detect the header by the columns that the user maps."""
    kinds = {layout.name: layout}
    if sniffed.kind == "csv":
        return _detect_csv(path, sniffed.encoding, kinds, layout.name)
    return _detect_in_tables(path, sniffed, kinds, layout.name)


def _first_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            what = "folder" if path.is_dir() else "device or pipe"
            raise InputError(f"{path} is a {what}, not a file", "choose a file")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "check the path and permissions"
        ) from None
    if not head:
        raise empty_file_error(path, "is empty")
    return head


def empty_file_error(path: Path, what: str) -> InputError:
    """Return the error for a file without content."""
    return InputError(f"{path} {what}", "a file of fills needs a header and at least one row")
