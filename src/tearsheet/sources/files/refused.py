"""Files that hold no rows, by their first bytes: archives, documents, pictures; what to do with each."""

import zipfile
from pathlib import Path

from tearsheet.errors import FormatError

_MARKS = (
    (b"\x1f\x8b", "compressed (gzip)", "extract it and import the file in it"),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7-Zip)", "extract it and import the files in it"),
    (b"Rar!", "an archive (RAR)", "extract it and import the files in it"),
    (b"%PDF", "a PDF", "export the statement as CSV, HTML, XML or Excel: a PDF has no rows"),
    (b"PAR1", "a Parquet file", "write it as CSV or JSON Lines"),
    (b"\x89PNG", "a picture", "export the data as CSV"),
    (b"\xff\xd8\xff", "a picture", "export the data as CSV"),
)  # fmt: skip
_SHOWN = 5


def reject_unsupported(path: Path, head: bytes) -> None:
    """Raise FormatError if the first bytes are those of a file without rows of text."""
    for mark, what, hint in _MARKS:
        if head.startswith(mark):
            raise FormatError(f"{path} is {what}", hint)


def reject_archive(path: Path) -> None:
    """Raise FormatError for an archive that is not a workbook, naming what is in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.filename.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # the reader of workbooks reports what is wrong
    if "xl/workbook.bin" in names:
        raise FormatError(f"{path} is a binary workbook of Excel (.xlsb)", "save it as CSV or .xlsx")
    if "content.xml" in names or any(name.startswith("xl/") for name in names):
        return
    listed = ", ".join(name[:100] for name in names[:_SHOWN]) or "nothing"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise FormatError(f"{path} is an archive (ZIP) with {listed}{more}", "extract it and import the files")
