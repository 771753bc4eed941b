"""Each broker whose files are read has a guide, and every guide is of formats that are read."""

import pytest

from tearsheet.cli import main
from tearsheet.sources.guides.catalogue import all_guides, guide_of
from tearsheet.sources.layouts.catalogue import list_formats
from tests.support.api import Api
from tests.support.place import Place

#: Formats of no broker that people export from, and those that are gone.
WITHOUT = (
    *(
        "generic_",
        "json",
        "trade_log",
        "tradervue",
        "tradezella",
        "cointracking",
        "bittrex",
        "dydx",
        "revolut",
        "freetrade",
    ),
    *(
        "scalable",
        "saxo",
        "swissquote",
        "xtb",
        "ig_",
        "etoro",
        "capital_com",
        "deepcharts",
        "atas",
        "quantower",
        "das_",
    ),
    *(
        "sierra",
        "lightspeed",
        "questrade",
        "firstrade",
        "wealthsimple",
        "tiger",
        "moomoo",
        "futu",
        "groww",
        "upstox",
    ),
    *("angel_one", "cryptocom", "deribit", "bitmex", "phemex", "mexc", "bitstamp"),
)


@pytest.mark.parametrize("name", [info.name for info in list_formats() if not info.name.startswith(WITHOUT)])
def test_each_format_of_a_broker_has_a_guide(name: str) -> None:
    assert guide_of(name) is not None


@pytest.mark.parametrize("slug", all_guides())
def test_a_guide_says_what_to_take_and_where_and_is_of_a_format_that_is_read(slug: str) -> None:
    guide = all_guides()[slug]
    assert any(guide.has(info.name) and not info.refused for info in list_formats())
    assert guide.take
    assert guide.path
    assert guide.command.startswith("tearsheet import ")
    assert set(guide.unconfirmed) <= set(guide.__struct_fields__)


def test_the_dashboard_shows_every_guide_and_the_glossary(place: Place) -> None:
    api = Api(place)
    index = api.client.get("/guides").text
    for slug, guide in all_guides().items():
        assert f'href="/guides/{slug}"' in index
        page = api.client.get(f"/guides/{slug}")
        assert page.status_code == 200
        assert guide.take.split("&")[0] in page.text
    assert api.client.get("/guides/nobody").status_code == 404
    glossary = api.client.get("/glossary").text
    assert 'id="term-net-p-l"' in glossary
    assert 'id="term-profit-factor"' in glossary


def test_the_command_line_prints_a_guide(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "tradovate"]) == 0
    said = capsys.readouterr().out
    assert "Reports → Fills" in said
    assert "tradovate_fills" in said
    assert main(["formats", "nobody"]) == 64
    assert "there is no format or broker 'nobody'" in capsys.readouterr().err
