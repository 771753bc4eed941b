"""A file that comes with a request, for as long as it is looked at."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import request

from tearsheet.app.imports.uploads import safe_name
from tearsheet.errors import FormatError, InputError, UsageError
from tearsheet.web.api.trading import sanitize_file_name
from tearsheet.web.http.bodies import check_content_type
from tearsheet.web.http.errors import HttpError

#: The body that brings one.
FILE_SCHEMA = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
}


@contextmanager
def save_upload() -> Iterator[tuple[Path, str]]:
    """The part named file, and the name that the client gives it; refusals speak of that name."""
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
