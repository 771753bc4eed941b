"""The tear sheet of a period, to be opened, printed or saved as one file."""

from collections.abc import Callable
from typing import Any

from flask import Response

from tearsheet.app.judgement import Judge
from tearsheet.export.files import file_name
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import PageRoute, Pages, with_security_headers
from tearsheet.web.pages.results import PARAMETERS, at_last_data, link_parameters, selection_from_link
from tearsheet.web.rendering.tear_sheet import render_tear_sheet

#: The file has its styles and its font inside, and nothing else may be loaded or run.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_DOWNLOAD = parameters.choice("download", "Whether it is saved as a file.", "yes")


def add_tear_sheets(pages: Pages) -> None:
    """Add the tear sheet."""
    pages.add(PageRoute("/tear-sheet", parameters=(*PARAMETERS, _DOWNLOAD)), _view(pages))


def _view(pages: Pages) -> Callable[..., Response]:
    def view(download: str | None, **values: Any) -> Response:
        with pages.app_context.query() as query:
            tracker = query.tracker
            selection = selection_from_link(tracker, at_last_data(tracker, link_parameters(**values)))
            summary = tracker.get_summary(
                selection.window,
                scope=selection.scope,
                currency=selection.currency,
                sync=False,
                stale=query.sync_errors,
            )
            judge = Judge(tracker, selection.scope.account, query.sync_errors, tolerant=True)
            judged = judge.judge(summary)
            response = Response(
                render_tear_sheet(tracker, judged.summary, judged.alerts), mimetype="text/html"
            )
        if download:
            name = f"{file_name(summary)}.html"
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return with_security_headers(response, _POLICY)

    return view
