"""The dashboard's pages, written by the server; they show what the tracker answers and add nothing up."""

from flask import Blueprint

from tearsheet.web.pages.alerts import add_alert_pages
from tearsheet.web.pages.assets import add_assets
from tearsheet.web.pages.calendar import add_calendar
from tearsheet.web.pages.frame import Pages
from tearsheet.web.pages.imports import add_import_pages
from tearsheet.web.pages.login import add_login
from tearsheet.web.pages.performance import add_performance_pages
from tearsheet.web.pages.settings import add_settings
from tearsheet.web.pages.today import add_today
from tearsheet.web.pages.trade import add_trade
from tearsheet.web.pages.trades import add_trades
from tearsheet.web.server.context import AppContext


def dashboard(served: AppContext) -> Blueprint:
    """Every page, and the styles and scripts that they use."""
    pages = Pages(served)
    for add in (
        add_today,
        add_calendar,
        add_performance_pages,
        add_trades,
        add_trade,
        add_alert_pages,
        add_settings,
        add_import_pages,
        add_login,
    ):
        add(pages)
    add_assets(pages.blueprint)
    return pages.blueprint
