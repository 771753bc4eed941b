"""Pages of the dashboard, rendered by the server from what the tracker answers."""

from flask import Blueprint

from tearsheet.web.pages.alerts import add_alert_pages
from tearsheet.web.pages.calendar import add_calendar
from tearsheet.web.pages.currency.one_currency import add_one_currency
from tearsheet.web.pages.frame import Pages
from tearsheet.web.pages.importing.cash import add_cash_page
from tearsheet.web.pages.importing.guides import add_guides
from tearsheet.web.pages.importing.imports import add_import_pages
from tearsheet.web.pages.importing.openings import add_opening_pages
from tearsheet.web.pages.importing.uploads import add_upload_pages
from tearsheet.web.pages.login import add_login
from tearsheet.web.pages.overview import add_overview
from tearsheet.web.pages.performance import add_performance_pages
from tearsheet.web.pages.pictures import add_pictures
from tearsheet.web.pages.risk import add_risk_pages
from tearsheet.web.pages.settings import add_settings
from tearsheet.web.pages.status import add_status
from tearsheet.web.pages.tear_sheets import add_tear_sheets
from tearsheet.web.pages.today import add_today
from tearsheet.web.pages.trade import add_trade
from tearsheet.web.pages.trades import add_trades
from tearsheet.web.rendering.assets import add_assets
from tearsheet.web.server.context import AppContext


def dashboard(app_context: AppContext) -> Blueprint:
    """Return the blueprint of all pages with their styles and scripts."""
    pages = Pages(app_context)
    for add in (
        add_overview,
        add_today,
        add_calendar,
        add_one_currency,
        add_performance_pages,
        add_pictures,
        add_tear_sheets,
        add_trades,
        add_trade,
        add_alert_pages,
        add_risk_pages,
        add_status,
        add_cash_page,
        add_settings,
        add_import_pages,
        add_upload_pages,
        add_opening_pages,
        add_guides,
        add_login,
    ):
        add(pages)
    add_assets(pages.blueprint)
    return pages.blueprint
