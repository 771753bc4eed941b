"""From a fresh folder with one file of each of five brokers to the month's calendar: commands, actions, seconds."""

import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_imports_alerts_settings import is_sound
from tests.support.place import Place
from tests.support.processes import Running, until
from tests.support.web_server import free_port

#: Pages that show the place to drop a file while there is no trade.
EMPTY = ("/", "/calendar", "/day", "/trades", "/performance", "/risk", "/alerts", "/import")
#: What a newcomer may need at most.
COMMANDS, ACTIONS, SECONDS = 1, 4, 60
DROP = """(files) => {
  const held = new DataTransfer();
  for (const [name, text] of files) held.items.add(new File([text], name, { type: "text/csv" }));
  document.querySelector("h1").dispatchEvent(new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true }));
}"""


class Newcomer:
    """Somebody at a terminal and a browser, whose commands and actions are counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.actions, self.began_at = page, 0, time.monotonic()

    def drop(self, files: dict[str, str]) -> None:
        """Drop files on the page."""
        self.actions += 1
        self.page.evaluate(DROP, list(files.items()))

    def click(self, button: str) -> None:
        """Press a button."""
        self.actions += 1
        self.page.get_by_role("button", name=button).click()

    @property
    def seconds(self) -> float:
        """The time since the beginning."""
        return time.monotonic() - self.began_at


def last_month() -> date:
    """Return the first Wednesday of the last month that is over."""
    first = (datetime.now(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)
    return first + timedelta(days=(2 - first.weekday()) % 7)


def broker_files(day: date) -> dict[str, str]:
    """Return a file of each of five brokers with a trade of this day or the next one, as they export it."""
    quarter = next(month for month in (3, 6, 9, 12, 15) if month > day.month)
    contract = f"MES{'HMUZH'[quarter // 3 - 1]}{(day.year + (quarter > 12)) % 10}"
    us, next_day = f"{day:%m/%d/%Y}", day + timedelta(days=1)
    return {
        "Performance.csv": "symbol,_priceFormat,_priceFormatType,_tickSize,buyFillId,sellFillId,qty,buyPrice,sellPrice,"
        "pnl,boughtTimestamp,soldTimestamp,duration\n"
        f"{contract},-2,0,0.25,1,2,2,5125.25,5130.25,$50.00,{us} 09:35:12,{us} 09:42:15,7min 3sec\n",
        "Webull_Orders_Records.csv": "Name,Symbol,Side,Status,Filled,Total Qty,Price,Avg Price,Time-in-Force,Placed Time,"
        "Filled Time\n"
        f"Apple Inc,AAPL,Sell,Filled,100,100,@188.00,188.00,DAY,{us} 10:31:00 EST,{us} 10:31:05 EST\n"
        f"Apple Inc,AAPL,Buy,Filled,100,100,@187.50,187.40,DAY,{us} 09:31:00 EST,{us} 09:31:05 EST\n",
        "Individual_XXX123_Transactions.csv": '"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm",'
        '"Amount"\n'
        f'"{us}","Sell","MSFT","MICROSOFT","10","$409.00","$0.10","$4089.90"\n'
        f'"{us}","Buy","MSFT","MICROSOFT","10","$412.00","","-$4120.00"\n',
        "tearsheet-flex.csv": '"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Multiplier","DateTime","Quantity",'
        '"TradePrice","TradeMoney","Taxes","IBCommission","IBCommissionCurrency","Buy/Sell","IBOrderID","IBExecID",'
        '"LevelOfDetail","Notes/Codes"\n'
        f'"U100","USD","STK","NVDA","1","{next_day:%Y%m%d};093000","10","150","1500","0","-1","USD","BUY","o1","e1",'
        '"EXECUTION","O"\n'
        f'"U100","USD","STK","NVDA","1","{next_day:%Y%m%d};103000","-10","152","-1520","0","-1","USD","SELL","o2","e2",'
        '"EXECUTION","C"\n',
        "robinhood.csv": '"Activity Date","Process Date","Settle Date","Instrument","Description","Trans Code","Quantity",'
        '"Price","Amount"\n'
        f'"{next_day:%-m/%-d/%Y}","{next_day:%-m/%-d/%Y}","{next_day:%-m/%-d/%Y}","F","Ford","Sell","20","$11.00","$220.00"\n'
        f'"{next_day:%-m/%-d/%Y}","{next_day:%-m/%-d/%Y}","{next_day:%-m/%-d/%Y}","F","Ford","Buy","20","$10.50","($210.00)"\n',
    }


def answers(port: int) -> bool:
    """Return whether a process listens at a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[int, str], Page]]:
    """Pages of a browser in Chicago."""
    contexts = []

    def make(width: int, theme: str) -> Page:
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=theme,  # type: ignore[arg-type]
                timezone_id="America/Chicago",
                locale="en-US",
            )
        )
        return contexts[-1].new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_five_files_are_a_month_after_one_command_and_two_actions(
    open_page: Callable[[int, str], Page], axe: str, tmp_path: Path, width: int, theme: str
) -> None:
    day, port = last_month(), free_port()
    page = open_page(width, theme)
    complaints: list[str] = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with Running(Place(tmp_path, {}), "open", "fresh", "--port", str(port), "--no-browser") as running:
        address = f"http://127.0.0.1:{port}/"
        until(lambda: address in running.file.read_text(), why=running.file.read_text)
        until(lambda: answers(port), why=running.file.read_text)
        for path in EMPTY:
            page.goto(address.rstrip("/") + path)
            expect(page.get_by_text("No trades yet").or_(page.locator("h1")).first).to_be_visible()
            expect(page.get_by_text("$0.00")).to_have_count(0)
            is_sound(page, axe)
        newcomer = Newcomer(page)
        page.goto(address)
        expect(page.get_by_text("Drop a broker file, see your year")).to_be_visible()
        newcomer.drop(broker_files(day))
        expect(page.get_by_text("5 files")).to_be_visible(timeout=30_000)
        expect(page.locator(".result .problem")).to_have_count(0)
        newcomer.click("Import 5 trades")
        expect(page.get_by_text("5 trades imported.")).to_be_visible(timeout=30_000)
        month = page.locator(".month")
        expect(page.get_by_role("heading", name=f"{day:%B %Y}")).to_be_visible()
        # 50 + 60 − 30.10 and, on the next day, 20 − 2 + 10
        expect(month.get_by_role("link", name=f"{day:%A} {day.day}: +$79.90")).to_be_visible()
        expect(
            month.get_by_role("link", name=f"{day + timedelta(days=1):%A} {day.day + 1}: +$28.00")
        ).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        found = {"commands": COMMANDS, "actions": newcomer.actions, "seconds": round(newcomer.seconds, 1)}
        print(found)  # `pytest -rP` shows the recording
        assert newcomer.actions <= ACTIONS, found
        assert newcomer.seconds <= SECONDS, found
        assert complaints == []
        is_sound(page, axe)
        newcomer.click("Undo")
        expect(page.get_by_text("Undone.")).to_be_visible()
