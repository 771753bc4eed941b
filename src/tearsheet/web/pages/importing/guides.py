"""Guides of brokers (which file to take, where to click for it, what it has), and the glossary."""

from flask import Response

from tearsheet.app.imports.formats import broker_guides
from tearsheet.app.imports.import_file import known_formats
from tearsheet.errors import NotFoundError
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.rendering.glossary import glossary

#: What holds for every broker.
RULES = (
    "Fills before orders, orders before anything else; never profit and loss. Import one report of the same trades.",
    "Do not open the file in a spreadsheet first: it drops seconds and rewrites dates.",
    "Begin before your first trade, or when nothing was held; else state what was held as an opening balance.",
    "Overlap is safe: fills that were imported before change nothing.",
    "Know the time zone of the file, not your own.",
    "A file without an account column is of one account: give it the same name each time.",
    "Look before you save: the import page and `tearsheet doctor FILE` show what a file would change.",
)


def add_guides(pages: Pages) -> None:
    """Add the list of guides, the page of each, and the glossary."""

    def index() -> Response:
        return pages.render("guide.html", guide=None, guides=list(broker_guides().values()), rules=RULES)

    def guide(slug: str) -> Response:
        found = broker_guides().get(slug)
        if found is None:
            raise NotFoundError(f"there is no guide {slug!r}", "see /guides")
        formats = [info.name for info in known_formats().values() if found.has(info.name)]
        return pages.render("guide.html", guide=found, formats=formats, rules=RULES)

    pages.add(PageRoute("/glossary"), lambda: pages.render("glossary.html", topics=glossary()))
    pages.add(PageRoute("/guides"), index)
    pages.add(PageRoute("/guides/<slug>"), guide)
