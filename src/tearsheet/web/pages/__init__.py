"""The dashboard's pages, written by the server; they show what the tracker answers and add nothing up."""

from flask import Blueprint

from tearsheet.web.assets import add_assets
from tearsheet.web.pages.adjusting import add_adjusting
from tearsheet.web.pages.alerting import add_alerting
from tearsheet.web.pages.day import add_day
from tearsheet.web.pages.entrance import add_entrance
from tearsheet.web.pages.frame import Pages
from tearsheet.web.pages.importing import add_importing
from tearsheet.web.pages.list_of_trades import add_trades
from tearsheet.web.pages.month import add_month
from tearsheet.web.pages.one_trade import add_trade
from tearsheet.web.pages.stretch import add_stretch
from tearsheet.web.served import Served


def dashboard(served: Served) -> Blueprint:
    """Every page, and the styles and scripts that they use."""
    pages = Pages(served)
    for add in (
        add_day, add_month, add_stretch, add_trades, add_trade, add_alerting, add_adjusting,
        add_importing, add_entrance,
    ):  # fmt: skip
        add(pages)
    add_assets(pages.blueprint)
    return pages.blueprint
