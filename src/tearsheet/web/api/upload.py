"""Uploaded statements: their parameters, and a temporary file during the request."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Literal
from zoneinfo import ZoneInfo

from flask import request

from tearsheet.app.imports.formats import time_zone_names
from tearsheet.app.imports.import_file import known_formats
from tearsheet.app.imports.uploads import safe_name
from tearsheet.errors import FormatError, InputError, UsageError
from tearsheet.trade.value_rule import meaning, text_rule
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import check_content_type
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Parameter

#: Body of an upload.
FILE_SCHEMA = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
}


_ZONES = meaning({name: name for name in time_zone_names()})
_ZONE = text_rule("an IANA name such as America/Chicago", lambda text: ZoneInfo(_ZONES.convert(text)))

DateOrder = Literal["day-first", "month-first"] | None

_CHUNK = 1 << 20
_MOST_COLUMNS = 1_000
#: Bytes of a body for each line, object and tag that it may have: fewer are no statement.
_BYTES_OF_EACH = {b"\n": 80, b"\r": 80, b"{": 80, b"<": 50}
_WORDS = {b"\n": "lines", b"\r": "lines", b"{": "objects", b"<": "tags"}
#: What begins an object or element, and what each of its values has.
_VALUE_SIGNS = ((b"{", b'":'), (b"<", b'="'))
#: How to read a file that does not say it itself.
IMPORT_PARAMETERS = (
    Parameter(
        "timezone",
        "Zone of the times in a file that names none.",
        {"type": "string", "enum": time_zone_names()},
        _ZONE.parse,
    ),
    parameters.ACCOUNT,
    parameters.choice("format", "The file's format, where it is not recognised.", *sorted(known_formats())),
    parameters.choice(
        "date_order", "What stands first in dates such as 3/4/2026.", "day-first", "month-first"
    ),
)


@contextmanager
def save_upload() -> Iterator[tuple[Path, str]]:
    """Save the part `file` for the time of the block; yield its path and the client's name for it.

    Errors of reading become HttpErrors with that name instead of the path.
    """
    check_content_type("multipart/form-data")
    upload = request.files.get("file")
    if upload is None:
        raise HttpError(422, "no part named `file` in the request", "send multipart/form-data with a file")
    name = sanitize_file_name(upload.filename)
    with closing(upload), tempfile.TemporaryDirectory(prefix="tearsheet-upload-") as folder:
        check_upload(upload.stream, name)
        path = Path(folder) / f"upload-{safe_name(name)}"
        upload.save(path)
        try:
            yield path, name
        except UsageError as error:
            raise HttpError(409, error.message, error.hint) from None
        except (FormatError, InputError) as error:
            raise HttpError(422, error.message.replace(str(path), name), error.hint) from None


def check_upload(stream: IO[bytes], name: str) -> None:
    """Raise 413 for an upload with more lines or values than a worker should read; the stream is rewound.

    The bounds grow with the largest body that the settings allow.
    """
    counts = dict.fromkeys((*_BYTES_OF_EACH, *(value for _, value in _VALUE_SIGNS)), 0)
    while chunk := stream.read(_CHUNK):
        for sign in counts:
            counts[sign] += chunk.count(sign)
    stream.seek(0)
    largest = request.max_content_length or 0
    for sign, size in _BYTES_OF_EACH.items():
        if counts[sign] > (most := largest // size):
            raise HttpError(
                413,
                f"{name} has {counts[sign]:,} {_WORDS[sign]}, more than the {most:,} that an upload may have",
                "split it, or read it with `tearsheet import`",
            )
    if any(counts[value] > _MOST_COLUMNS * (counts[begin] + 1) for begin, value in _VALUE_SIGNS):
        raise HttpError(422, f"{name} has more than {_MOST_COLUMNS:,} columns", "export the fills alone")


def sanitize_file_name(name: str | None) -> str:
    """Return a client's file name for rejections and lists, without folders; no file is opened by it."""
    bare = (name or "").replace("\\", "/").rpartition("/")[2]
    shown = "".join(c if c.isprintable() else "\ufffd" for c in bare)[:200]
    return shown or "upload"
