"""Status page of an account: what is left to pass, what is nearest to break, every rule with its numbers."""

from flask import Response

from tearsheet.app.limits.preset_list import preset_list
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import PageRoute, Pages


def add_status(pages: Pages) -> None:
    """Add the status page and the list of presets."""
    views = _StatusPages(pages)
    pages.add(PageRoute("/risk/status", parameters=(parameters.ACCOUNT,)), views.status)
    pages.add(PageRoute("/risk/presets"), views.presets)


class _StatusPages:
    """Views of the status of an account, and of what can be chosen for one."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context

    def status(self, account: str | None) -> Response:
        """Show the status of an account, or the accounts to choose from."""
        with self._app_context.query() as query:
            verdicts = account_verdicts(query.tracker)
            names = verdicts.judged_accounts(query.sync_errors)
            chosen = account or next(iter(names), None)
            found = None if chosen is None else verdicts.status(chosen, query.sync_errors)
            return self._pages.render(
                "status.html",
                title="Status",
                account=chosen,
                names=names,
                found=found,
                revision=query.tracker.ledger.revision,
                today=query.tracker.today,
            )

    def presets(self) -> Response:
        """Show every preset with its numbers."""
        found = preset_list(None, self._app_context.now.date())
        return self._pages.render("presets.html", title="Presets", presets=found)
