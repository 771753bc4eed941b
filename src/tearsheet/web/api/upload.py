"""Uploaded statements: their parameters, and a temporary file during the request."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
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
        raise HttpError(422, "there is no part named file", "send multipart/form-data with a file")
    name = sanitize_file_name(upload.filename)
    with tempfile.TemporaryDirectory(prefix="tearsheet-upload-") as folder:
        path = Path(folder) / f"upload-{safe_name(name)}"
        upload.save(path)
        try:
            yield path, name
        except UsageError as error:
            raise HttpError(409, error.message, error.hint) from None
        except (FormatError, InputError) as error:
            raise HttpError(422, error.message.replace(str(path), name), error.hint) from None


def sanitize_file_name(name: str | None) -> str:
    """Return a client's file name for rejections and lists, without folders; no file is opened by it."""
    bare = (name or "").replace("\\", "/").rpartition("/")[2]
    shown = "".join(c if c.isprintable() else "\ufffd" for c in bare)[:200]
    return shown or "upload"
