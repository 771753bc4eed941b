"""Import pages: the place to drop files, the history of imports, and their undo."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flask import Response, request

from tearsheet.app.imports.history import Import, ImportHistory, RejectedRow
from tearsheet.app.imports.import_file import known_formats
from tearsheet.app.imports.preview import Preview
from tearsheet.errors import UsageError
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_response
from tearsheet.web.http.errors import HttpError
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.rendering.brokers import broker_content

_PAGE_SIZE = 25
_MAX_CSV_ROWS = 1_000_000
#: Rejected rows, days and positions that a page lists.
MAX_ROWS = 100
_SHOW = parameters.choice(
    "show", "`files`, or `all` to include API imports.", "files", "all", default="files"
)
_CSV_FIELDS = ("file", "line", "code", "reason", "hint", "account", "text")


def add_import_pages(pages: Pages) -> None:
    """Add the import page and the pages of imports."""
    views = _ImportPages(pages)
    import_ = "/import/batches/<number>"
    pages.add(PageRoute("/import", parameters=(parameters.BEFORE, _SHOW)), views.page)
    pages.add(PageRoute(import_), views.import_page)
    pages.add(PageRoute(f"{import_}/undo", "write", method="POST"), views.undo)
    pages.add(PageRoute(f"{import_}/rejected.csv"), views.rejected_of_import)
    pages.add(PageRoute("/import/rejected.csv"), views.rejected)


class _ImportPages:
    """Views of the import pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context

    def page(self, before: int | None, show: str) -> Response:
        """Show the place to drop files, and the past imports."""
        return render_import_page(self._pages, before, show)

    def import_page(self, number: str) -> Response:
        """Show an import."""
        with self._app_context.query() as query:
            import_ = ImportHistory(query.tracker).get(_parse_import_id(number))
        return self._render_import(import_)

    def undo(self, number: str) -> Response:
        """Preview the undo of an import; undo it once the preview was confirmed."""
        import_id, client = _parse_import_id(number), self._app_context.access.client_name(request)
        with (
            usage_errors_as_conflicts(),
            self._app_context.keep_worker_alive(),
            self._app_context.tracker_pool.borrow() as tracker,
        ):
            history = ImportHistory(tracker)
            if request.form.get("action") == "undo":
                history.undo(import_id, client)
                return redirect_to(f"/import/batches/{import_id}")
            preview = history.preview_undo(import_id, client)
            import_ = history.get(import_id)
        return self._render_import(import_, preview)

    def _render_import(self, import_: Import, preview: Preview | None = None) -> Response:
        with self._app_context.tracker_pool.borrow() as tracker:
            rejections = ImportHistory(tracker).rejections(import_.id, MAX_ROWS)
        return self._pages.render(
            "import_detail.html",
            title=f"Import {import_.id}",
            import_=import_,
            format_titles=format_titles(),
            rejections=[row.rejection for row in rejections],
            preview=preview,
            max_rows=MAX_ROWS,
        )

    def rejected_of_import(self, number: str) -> Response:
        """Return the rejected rows of an import as CSV."""
        with self._app_context.query() as query:
            history = ImportHistory(query.tracker)
            import_ = history.get(_parse_import_id(number))
            rows = history.rejections(import_.id, _MAX_CSV_ROWS)
        return rejections_csv(rows, f"rejected-{import_.id}.csv")

    def rejected(self) -> Response:
        """Return all rejected rows that still count, as CSV."""
        with self._app_context.query() as query:
            rejections = query.tracker.rejections(_MAX_CSV_ROWS)
        return rejections_csv([RejectedRow(one, True) for one in rejections], "rejected.csv")


def render_import_page(
    pages: Pages, before: int | None = None, show: str = "files", problem: HttpError | None = None
) -> Response:
    """Render the import page; `problem` is why files that were sent are refused."""
    with pages.app_context.query() as query:
        imports = ImportHistory(query.tracker).list(_PAGE_SIZE + 1, before, files_only=show == "files")
        return pages.render(
            "import.html",
            status=200 if problem is None else problem.status,
            title="Import",
            problem=problem,
            imports=imports[:_PAGE_SIZE],
            show=show,
            before=imports[_PAGE_SIZE - 1].id if len(imports) > _PAGE_SIZE else None,
            format_titles=format_titles(),
            rejections=query.tracker.rejections(20),
            is_first_page=before is None,
            **broker_content(),
        )


@contextmanager
def usage_errors_as_conflicts() -> Iterator[None]:
    """Turn a UsageError into 409: the page was older than the state of its upload or import."""
    try:
        yield
    except UsageError as error:
        raise HttpError(409, error.message, error.hint) from None


def rejections_csv(rejections: Iterable[RejectedRow], name: str) -> Response:
    """Return rejected rows as CSV."""
    rows = (
        [*(getattr(one.rejection, field) for field in _CSV_FIELDS), "yes" if one.counts else "no"]
        for one in rejections
    )
    return csv_response((*_CSV_FIELDS, "counts"), rows, name)


def _parse_import_id(text: str) -> int:
    try:
        return int(parameters.IMPORT_ID.read(text))
    except ValueError as error:
        raise HttpError(404, "import not found", str(error)) from None


def format_titles() -> dict[str, str]:
    """Return the titles of formats by name."""
    return {
        "api": "API import",
        "your_mapping": "Your columns",
        **{name: line.title for name, line in known_formats().items()},
    }
