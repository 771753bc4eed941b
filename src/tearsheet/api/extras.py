"""Libraries that the base package does not need, imported when they are asked for."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tearsheet.errors import MissingExtra

#: What to install for a library; others are the user's own choice.
_EXTRAS = {"nanoarrow": "tearsheet[arrow]", "narwhals": "tearsheet[frames]", "pyarrow": "tearsheet[frames]"}


def load(name: str, use: str, extra: str | None = None) -> Any:
    """Return a library. Raises MissingExtra that says what needs it and how to install it, by an extra of its own."""
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        needed = extra or _EXTRAS.get(library, library)
        if find_spec(library) is not None:
            raise MissingExtra(
                f"{use} needs {library}, which is there and cannot be imported: {error}",
                f"pip install --upgrade '{needed}'",
            ) from error
        raise MissingExtra(
            f"{use} needs {library}, which is not installed", f"pip install '{needed}'"
        ) from None
