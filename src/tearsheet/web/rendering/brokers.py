"""Brokers and platforms as the import page lists them: which report to take, and where it is."""

from typing import Any

from tearsheet.app.imports.formats import broker_guides
from tearsheet.app.imports.import_file import known_formats
from tearsheet.sources.guides.catalogue import Guide

_KINDS = {"csv": "CSV", "xlsx": "Excel", "html": "HTML", "xml": "XML", "json": "JSON"}


def broker_content() -> dict[str, Any]:
    """Return the brokers whose files are read, each with the kinds of files, and the number of formats."""
    formats = [info for info in known_formats().values() if not info.refused]
    found: list[tuple[Guide, str]] = []
    for guide in broker_guides().values():
        kinds = {kind for info in formats if guide.has(info.name) for kind in info.kinds}
        if kinds:
            found.append((guide, ", ".join(_KINDS[kind] for kind in _KINDS if kind in kinds)))
    return {"brokers": found, "format_count": len(formats)}
