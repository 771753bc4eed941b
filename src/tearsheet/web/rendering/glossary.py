"""The glossary: what each word on the pages means, with the metrics from their table."""

import tomllib
from functools import cache
from importlib.resources import files

from tearsheet.performance.metric import METRICS


@cache
def glossary() -> dict[str, dict[str, str]]:
    """Return the terms and their meanings, by topic."""
    topics: dict[str, dict[str, str]] = tomllib.loads(
        (files("tearsheet.web") / "glossary.toml").read_text("utf-8")
    )
    topics["Metrics"] = {metric.label: metric.description for metric in METRICS.values()}
    return topics


def anchor(term: str) -> str:
    """Return the address of a term in the page."""
    return "".join(c if c.isalnum() else "-" for c in term.casefold()).strip("-")
