"""Libraries that the base package does not need, imported when they are asked for."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tearsheet.errors import MissingExtra

#: What to install for a library; others are the user's own choice.
_EXTRAS = {"nanoarrow": "tearsheet[arrow]", "narwhals": "tearsheet[frames]", "pyarrow": "tearsheet[frames]"}


def load(name: str, use: str) -> Any:
    """Return a library. Raises MissingExtra that says what needs it and how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        if find_spec(library) is not None:
            raise MissingExtra(
                f"{use} needs {library}, which is there and cannot be imported: {error}",
                f"pip install --upgrade '{_EXTRAS.get(library, library)}'",
            ) from error
        raise MissingExtra(
            f"{use} needs {library}, which is not installed", f"pip install '{_EXTRAS.get(library, library)}'"
        ) from None
