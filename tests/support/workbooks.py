"""Small workbooks: .xlsx and .ods as archives of XML, .xls as records in a compound file."""

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tearsheet.sources.files.compound_file import write_compound_file

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ODS_NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)
Rows = Sequence[Sequence[object]]


def write_xlsx(path: Path, *tables: Rows, date1904: bool = False) -> Path:
    """Write a sheet for each table: texts are shared, numbers are numbers."""
    shared: list[str] = []
    return write_xlsx_parts(path, [_sheet(rows, shared) for rows in tables], shared, date1904=date1904)


def write_xlsx_parts(
    path: Path,
    sheets: Sequence[str],
    shared: Sequence[str] = (),
    *,
    date1904: bool = False,
    names: Sequence[str] = (),
    parts: Mapping[str, str | bytes] | None = None,
) -> Path:
    """Write sheets given by the XML of their rows, as parts with these names. Style 1 is a date."""
    names = names or [f"sheet{number}.xml" for number in range(1, len(sheets) + 1)]
    entries = "".join(f'<sheet name="S {n}" sheetId="{n}" r:id="r{n}"/>' for n in range(1, len(sheets) + 1))
    links = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/{name}"/>'
        for n, name in enumerate(names, 1)
    )
    content: dict[str, str | bytes] = {
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="w" Type="{_OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><workbookPr date1904="{date1904:d}"/>'
        f"<sheets>{entries}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{links}</Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
        "</styleSheet>",
        "xl/sharedStrings.xml": f"<sst>{''.join(f'<si><t>{text}</t></si>' for text in shared)}</sst>",
        **{
            f"xl/worksheets/{name}": f"<worksheet><sheetData>{rows}</sheetData></worksheet>"
            for name, rows in zip(names, sheets, strict=True)
        },
        **(parts or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def _sheet(rows: Rows, shared: list[str]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = []
        for column, value in zip("ABCDEFGHIJKLMNOP", row, strict=False):
            if isinstance(value, str) and value:
                shared.append(value)
                cells.append(f'<c r="{column}{number}" t="s"><v>{len(shared) - 1}</v></c>')
            elif value is not None and value != "":
                cells.append(f'<c r="{column}{number}"><v>{value!r}</v></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return "".join(lines)


def write_ods(path: Path, *tables: str) -> Path:
    """Write a table for each XML of rows."""
    named = "".join(
        f'<table:table table:name="T {n}">{rows}</table:table>' for n, rows in enumerate(tables, 1)
    )
    content = (
        f"<office:document-content {_ODS_NAMES} xmlns:calcext="
        f'"urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"><office:body><office:spreadsheet>'
        f"{named}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", '<m:manifest xmlns:m="urn:x"/>')
    return path


def ods_rows(table: Rows) -> str:
    """Return the XML of rows: numbers, and all else as text."""
    return "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in table)


def _ods_cell(value: object) -> str:
    if isinstance(value, str):
        text = f'office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        return f"<table:table-cell {text}" if value else "<table:table-cell/>"
    return f'<table:table-cell office:value-type="float" office:value="{value!r}"/>'


def record(kind: int, content: bytes = b"") -> bytes:
    """Return a record of .xls."""
    return struct.pack("<HH", kind, len(content)) + content


def number_record(row: int, column: int, value: float, style: int = 0) -> bytes:
    """Return the record of a cell with a number; style 1 is a date."""
    return record(0x203, struct.pack("<HHHd", row, column, style, value))


def text_record(row: int, column: int, index: int) -> bytes:
    """Return the record of a cell with a shared string."""
    return record(0xFD, struct.pack("<HHHI", row, column, 0, index))


def write_xls(path: Path, *sheets: bytes, shared: bytes = b"", date1904: bool = False) -> Path:
    """Write sheets given by their records; `shared` has the records of the shared strings."""
    end = record(0x0A)
    start = record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0)) + record(
        0x22, struct.pack("<H", date1904)
    )
    start += record(0xE0, bytes(20)) + record(0xE0, struct.pack("<HH", 0, 22) + bytes(16)) + shared
    names = [f"T{number}".encode() for number in range(1, len(sheets) + 1)]
    place = len(start) + sum(4 + 8 + len(name) for name in names) + len(end)
    entries, content = b"", b""
    for name, rows in zip(names, sheets, strict=True):
        entries += record(0x85, struct.pack("<IBBBB", place + len(content), 0, 0, len(name), 0) + name)
        content += record(0x809, struct.pack("<HHHHII", 0x600, 16, 0, 0, 0, 0)) + rows + end
    path.write_bytes(write_compound_file("Workbook", start + entries + end + content))
    return path


def shared_strings(*texts: str) -> bytes:
    """Return the record of the shared strings."""
    packed = b"".join(struct.pack("<HB", len(text), 1) + text.encode("utf-16-le") for text in texts)
    return record(0xFC, struct.pack("<II", len(texts), len(texts)) + packed)
