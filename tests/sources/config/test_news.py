"""News calendars: when symbols are not traded, and the words for a file that cannot be read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.errors import SettingsError
from tearsheet.rules.limit import Limit, is_in_news
from tearsheet.sources.config.news import news_windows

AT = datetime(2026, 3, 6, 13, 30, tzinfo=UTC)


def rule(path: Path) -> Limit:
    margin = timedelta(minutes=2)
    return Limit(name="no_trading", threshold=Decimal(1), calendar=str(path), before=margin, after=margin)


def test_a_window_holds_both_of_its_ends_and_its_symbols(tmp_path: Path) -> None:
    file = tmp_path / "news.csv"
    file.write_text(
        "at,symbols,title\n2026-03-06T08:30:00-05:00,EURUSD ES,Payrolls\n2026-03-06T15:00:00Z,,Speech\n"
    )
    windows = news_windows(rule(file))
    two = timedelta(minutes=2)
    assert is_in_news(windows, AT - two, ("EURUSD", "EURUSD"))
    assert is_in_news(windows, AT + two, ("ESH26", "ES"))
    assert not is_in_news(windows, AT + two + timedelta(seconds=1), ("EURUSD", "EURUSD"))
    assert not is_in_news(windows, AT, ("EURGBP", "EURGBP"))
    assert is_in_news(windows, datetime(2026, 3, 6, 15, tzinfo=UTC), ("EURGBP", "EURGBP"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("at,symbol\n", "news.csv:1: the columns are at, symbol"),
        ("at,symbols,title\nsoon,ES,x\n", "news.csv:2: at is 'soon'"),
        ("at,symbols,title\n2026-03-06T13:30:00,ES,x\n", "news.csv:2: at is '2026-03-06T13:30:00'"),
        ("at,symbols,title\n2026-03-06T13:30:00Z,ES\n", "news.csv:2: '2026-03-06T13:30:00Z,ES' is no row"),
    ],
)
def test_a_wrong_file_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "news.csv"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        news_windows(rule(file))
    assert caught.value.message.endswith(message)


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"news\.csv cannot be read"):
        news_windows(rule(tmp_path / "news.csv"))
