"""The dashboard's pages, written by the server; they show what the tracker answers and add nothing up."""

from flask import Blueprint

from tearsheet.web.pages.alerts import add_alerting
from tearsheet.web.pages.assets import add_assets
from tearsheet.web.pages.calendar import add_month
from tearsheet.web.pages.frame import Pages
from tearsheet.web.pages.imports import add_importing
from tearsheet.web.pages.login import add_entrance
from tearsheet.web.pages.performance import add_stretch
from tearsheet.web.pages.settings import add_adjusting
from tearsheet.web.pages.today import add_day
from tearsheet.web.pages.trade import add_trade
from tearsheet.web.pages.trades import add_trades
from tearsheet.web.server.context import Served


def dashboard(served: Served) -> Blueprint:
    """Every page, and the styles and scripts that they use."""
    pages = Pages(served)
    for add in (
        add_day,
        add_month,
        add_stretch,
        add_trades,
        add_trade,
        add_alerting,
        add_adjusting,
        add_importing,
        add_entrance,
    ):
        add(pages)
    add_assets(pages.blueprint)
    return pages.blueprint
