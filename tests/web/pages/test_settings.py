"""Settings changed from a page: limits, the trading day, who may, what others did meanwhile, what is remembered."""

import html
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.support.place import Place
from tests.web.pages.test_pages import SAME, page, send

FILE = """\
# the desk
win_rate_target: 55   # percent
limits:
  default:
    daily_loss: 500               # net
    max_trades: {number: 20, warn_at: [75]}   # a day
    stale_after: null
  accounts:
    EVAL:
      max_trades: null            # none
"""
LIMITS = "/settings/limits"


def targets(api: Api) -> Path:
    return api.place.folder / "config/dashboard-targets.yaml"


def filled(text: str) -> dict[str, Any]:
    """The limits form as a browser would send it back unchanged; several inputs of a name are a list."""
    form = text[text.index('id="limits"') : text.index('id="check"')]
    values: dict[str, Any] = {}
    for field in re.finditer(r"<input ([^>]*)>|<select ([^>]*)>(.*?)</select>", form, re.DOTALL):
        about = field[1] or field[2]
        name = re.search(r'name="([^"]+)"', about)
        if name is None or ('type="radio"' in about and " checked" not in about):
            continue
        found = re.search(r'value="([^"]*)" selected' if field[2] else r' value="([^"]*)"', field[3] or about)
        values.setdefault(name[1], []).append(html.unescape(found[1]) if found else "")
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def change(api: Api, path: str = LIMITS, **given: Any) -> TestResponse:
    values = filled(page(api, path)) | {name.replace("__", "."): v for name, v in given.items()}
    return send(api, path, values)


@pytest.fixture
def limited(api: Api) -> Api:
    api.place.write("config/dashboard-targets.yaml", FILE)
    return api


def test_a_form_that_is_sent_back_unchanged_changes_nothing(limited: Api) -> None:
    for path in (LIMITS, f"{LIMITS}?account=EVAL", f"{LIMITS}?account=new"):
        assert change(limited, path).status_code == 303
        assert targets(limited).read_text() == FILE


@pytest.mark.parametrize(
    ("path", "given", "gone", "come"),
    [
        (LIMITS, {"daily_loss__amount": "450.5"}, "daily_loss: 500 ", "daily_loss: 450.5 "),
        (
            LIMITS,
            {"daily_loss__basis": "open_pnl"},
            "daily_loss: 500 ",
            "daily_loss: {amount: 500, basis: open_pnl} ",
        ),
        (LIMITS, {"max_trades__warn_at": ""}, "{number: 20, warn_at: [75]}", "{number: 20}"),
        (LIMITS, {"max_trades__warn_at": ["50", "75", ""]}, "[75]", "[50, 75]"),
        (
            LIMITS,
            {"max_trades__state": "none"},
            "    max_trades: {number: 20, warn_at: [75]}   # a day\n",
            "",
        ),
        (LIMITS, {"stale_after": "15m"}, "stale_after: null", "stale_after: 15m"),
        (
            LIMITS,
            {
                "trading_hours__state": "own",
                "trading_hours__hours__from": ["08:30", "16:00", ""],
                "trading_hours__hours__to": ["15:00", "17:00", ""],
            },
            "stale_after: null\n",
            "stale_after: null\n    trading_hours: [08:30-15:00, 16:00-17:00]\n",
        ),
        (
            f"{LIMITS}?account=EVAL",
            {"max_trades__state": "default"},
            "      max_trades: null            # none\n",
            "",
        ),
        (
            f"{LIMITS}?account=EVAL",
            {"daily_loss__state": "none"},
            "# none\n",
            "# none\n      daily_loss: null\n",
        ),
        (
            f"{LIMITS}?account=B%3A+1",
            {"daily_loss__state": "own", "daily_loss__amount": "7"},
            "# none\n",
            '# none\n    "B: 1":\n      daily_loss: 7\n',
        ),
    ],
)
def test_a_limit_is_written_where_it_stands(
    limited: Api, path: str, given: dict[str, str], gone: str, come: str
) -> None:
    answer = change(limited, path, **given)
    assert answer.status_code == 303, re.sub("<[^>]+>", " ", answer.text)
    assert targets(limited).read_text() == FILE.replace(gone, come)
    assert "✓ Saved. The new limits are in effect." in page(limited, answer.headers["Location"])


@pytest.mark.parametrize(
    ("given", "field", "hint"),
    [
        ({"daily_loss__amount": "-5"}, "daily_loss.amount", "an amount of money above 0"),
        ({"daily_loss__amount": ""}, "daily_loss.amount", "an amount of money above 0"),
        ({"daily_loss__amount": "5 # x"}, "daily_loss.amount", "an amount of money above 0"),
        ({"max_trades__number": "2.5"}, "max_trades.number", "a whole number above 0"),
        ({"max_trades__warn_at": "90, 50"}, "max_trades.warn_at", "an ascending list"),
        ({"stale_after": "soon"}, "stale_after", "a duration"),
        (
            {"max_drawdown__state": "own", "max_drawdown__amount": "5", "max_drawdown__lock_at": "9"},
            "max_drawdown.amount",
            "kind: trailing",
        ),
    ],
)
def test_what_the_file_would_not_take_is_said_at_its_field(
    limited: Api, given: dict[str, str], field: str, hint: str
) -> None:
    answer = change(limited, **given)
    assert answer.status_code == 422
    assert targets(limited).read_text() == FILE
    assert "Not saved" in answer.text
    marked = set(re.findall(r'name="([^"]+)"[^>]*aria-invalid="true"', answer.text))
    assert {name.removesuffix(".from").removesuffix(".to") for name in marked} == {field}
    found = re.search(r'problem-of"><strong[^>]*>([^<]*)', answer.text)
    assert found
    assert hint in html.unescape(found[1])
    for name, value in given.items():  # what was typed is still there
        if not name.endswith("state"):
            assert all(html.escape(part.strip()) in answer.text for part in value.split(","))


def test_a_change_of_somebody_else_is_shown_and_not_overwritten(limited: Api) -> None:
    values = filled(page(limited, LIMITS)) | {"daily_loss.amount": "450"}
    theirs = FILE.replace("daily_loss: 500", "daily_loss: 300")
    targets(limited).write_text(theirs)
    answer = send(limited, LIMITS, values)
    assert answer.status_code == 409
    assert targets(limited).read_text() == theirs
    row = re.search(r"<tr><th scope=\"row\">daily loss: amount</th><td>300</td><td>450</td>", answer.text)
    assert row
    again = filled(answer.text)
    assert again["daily_loss.amount"] == "450"
    assert send(limited, LIMITS, again).status_code == 303
    assert targets(limited).read_text() == FILE.replace("daily_loss: 500", "daily_loss: 450")


def test_a_part_of_the_form_takes_nothing_out(limited: Api) -> None:
    digest = filled(page(limited, LIMITS))["digest"]
    assert (
        send(
            limited, LIMITS, {"digest": digest, "daily_loss.state": "own", "daily_loss.amount": "5"}
        ).status_code
        == 422
    )
    assert targets(limited).read_text() == FILE


def test_a_latched_breach_outlasts_a_looser_limit_and_its_going(limited: Api) -> None:
    limited.fills(fill(-20), fill(-10, "SELL", -450))  # 550 lost of 500
    state = lambda: limited.get("/api/risk/verdict?account=A")["data"]["state"]  # noqa: E731
    assert state() == "breach"
    assert change(limited, daily_loss__amount="5000").status_code == 303
    assert state() == "breach"
    assert change(limited, daily_loss__state="none").status_code == 303
    assert state() == "breach"


def test_a_loss_beyond_the_old_limit_is_kept_before_a_looser_one_counts(api: Api) -> None:
    api.fills(fill(-20), fill(-10, "SELL", -450))  # when there was no limit yet
    api.place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 500}}\n")
    assert change(api, daily_loss__amount="5000").status_code == 303
    assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "breach"


def checked(text: str) -> str:
    """The words of the last month with the limits of the form."""
    found = html.unescape(text[text.index('id="check-result"') :])
    return " ".join(
        re.sub(r"<[^>]+>", " ", found[found.index(">") + 1 : found.index("</section>\n</div>")]).split()
    )


def test_last_month_is_replayed_before_anything_is_saved(limited: Api) -> None:
    for day in range(4):  # 300 lost and 100 won, on each of four days
        at = -1440 * day
        limited.fills(fill(at - 40), fill(at - 30, "SELL", -200), fill(at - 20), fill(at - 10, "SELL", 200))
    values = filled(page(limited, LIMITS)) | {"daily_loss.amount": "250", "action": "check"}
    answer = send(limited, LIMITS, values)
    assert answer.status_code == 200
    text = checked(answer.text)
    assert "Stopped 4 times ; 0 times with the saved limits." in text
    assert "Net P&L −$1,200.00 instead of −$800.00 ; −$800.00 with the saved limits" in text
    assert "Daily loss $300.00 of $250.00: cost $100.00" in text
    assert targets(limited).read_text() == FILE
    assert filled(answer.text)["daily_loss.amount"] == "250"
    looser = filled(page(limited, LIMITS)) | {"daily_loss.amount": "9000", "action": "check"}
    assert "Loosens: " in checked(send(limited, LIMITS, looser).text)
    wrong = filled(page(limited, LIMITS)) | {"daily_loss.amount": "x", "action": "check"}
    assert "Correct amount: allowed is an amount of money above 0" in checked(
        send(limited, LIMITS, wrong).text
    )
    own = filled(page(limited, f"{LIMITS}?account=EVAL")) | {"action": "check"}
    assert "EVAL has not traded" in checked(send(limited, f"{LIMITS}?account=EVAL", own).text)


def test_the_limits_of_an_account_are_removed_at_once(limited: Api) -> None:
    path = f"{LIMITS}?account=EVAL"
    values = filled(page(limited, path)) | {"action": "reset"}
    assert send(limited, path, values).status_code == 303
    assert "max_trades: null" not in targets(limited).read_text()
    assert 'name="max_trades.state" value="default" checked' in page(limited, path)
    assert "comments" in page(limited, path)


def test_choices_are_chosen_and_no_key_of_the_file_is_shown(limited: Api) -> None:
    text = page(limited, LIMITS)
    shown = html.unescape(re.sub(r"<[^>]+>", " ", text[text.index('id="limits"') :]))
    assert [
        key
        for key in ("on_unknown", "on unknown", "lock at", "static or trailing", "warn at")
        if key in shown
    ] == []
    for name in (
        "max_drawdown.kind",
        "max_drawdown.basis",
        "max_open_quantity.per",
        "on_unknown",
        "stale_after",
    ):
        assert f'<select id="{name}"' in text, name
    assert filled(text)["stale_after"] == "null"
    limited.place.write(
        "config/dashboard-targets.yaml", "limits:\n  default: {stale_after: 95m, daily_loss: 5}\n"
    )
    assert filled(page(limited, LIMITS))["stale_after"] == "95m"  # what no choice names is kept


@pytest.fixture
def staffed(make_api: Callable[..., Api]) -> tuple[Api, dict[str, dict[str, str]]]:
    """An application with a token of each right."""
    api = make_api()
    api.place.write("config/dashboard-targets.yaml", FILE)
    tokens = Tokens(api.place.settings().tokens_file)
    rights: Any = ("read", "write", "risk")
    made = {right: tokens.add(f"kim-{right}", right, api.place.now) for right in rights}
    return api, {right: {"Authorization": f"Bearer {token}"} for right, token in made.items()}


@pytest.mark.parametrize(
    ("right", "given", "status"),
    [
        ("read", {"daily_loss.amount": "450"}, 403),
        ("write", {"daily_loss.amount": "450"}, 303),
        ("write", {"daily_loss.amount": "501"}, 403),
        ("write", {"daily_loss.state": "none"}, 403),
        ("write", {"max_trades.warn_at": "90"}, 403),
        ("write", {"weekly_loss.state": "own", "weekly_loss.amount": "900"}, 303),
        ("risk", {"daily_loss.state": "none"}, 303),
    ],
)
def test_to_loosen_a_limit_needs_the_risk_desk(
    staffed: tuple[Api, dict[str, dict[str, str]]], right: str, given: dict[str, str], status: int
) -> None:
    api, bearers = staffed
    values = filled(page(api, LIMITS, **bearers[right])) | given
    answer = send(api, LIMITS, values, SAME | bearers[right])
    assert answer.status_code == status
    assert (targets(api).read_text() == FILE) == (status == 403)
    if status == 403 and right == "write":
        assert "loosening a limit requires a risk-desk token" in answer.text
        kept = filled(answer.text)  # the form stays as it was
        assert all(value in kept[name] for name, value in given.items())
    if status == 303:
        shown = page(api, "/settings", **bearers["read"])
        assert f"<td>kim-{right}</td>" in shown
        assert "limits.default." in shown


def test_the_trading_day_is_of_the_risk_desk(staffed: tuple[Api, dict[str, dict[str, str]]]) -> None:
    api, bearers = staffed
    wish = {"timezone": "America/Chicago", "day_starts_at": "17:00", "digest": ""}
    for right in ("read", "write"):
        assert send(api, "/settings/day", wish, SAME | bearers[right]).status_code == 403
        assert "Changing this requires a risk-desk token" in page(api, "/settings", **bearers[right])
    assert send(api, "/settings/day", wish, SAME | bearers["risk"]).status_code == 200
    assert send(api, "/settings/day", wish, bearers["risk"]).status_code == 403


def day_form(api: Api) -> dict[str, str]:
    text = page(api, "/settings")
    form = text[text.index('action="/settings/day"') :]
    return {
        name: html.unescape(value)
        for name, value in re.findall(
            r'name="(digest|seen|timezone|day_starts_at)"(?: maxlength="60" autocomplete="off")? value="([^"]*)"',
            form,
        )
    }


def rebooked(api: Api, timezone: str, start: str) -> TestResponse:
    """Look at another calendar, and say yes."""
    wish = day_form(api) | {"timezone": timezone, "day_starts_at": start}
    seen = send(api, "/settings/day", wish | {"action": "try"})
    assert "Rebuild history" in seen.text, re.sub("<[^>]+>", " ", seen.text)
    return send(api, "/settings/day", wish | {"action": "keep", "seen": f"{timezone} {start}"})


def daily(api: Api, day: str) -> Any:
    return api.get(f"/api/performance/daily?date={day}")["data"]["daily_pnl"]


def test_another_trading_day_is_shown_then_booked_then_written(api: Api) -> None:
    file = api.place.write(
        "config/tearsheet.toml", '# ours\ntimezone = "UTC"   # for now\ncurrency = "USD"\n'
    )
    at = datetime.fromisoformat("2026-11-18T23:30:00+00:00")
    api.fills(
        *(
            fill(n, side, price, time=(at + timedelta(minutes=n)).isoformat())
            for n, side, price in ((1, "BUY", 100), (2, "SELL", 107))
        )
    )
    assert (daily(api, "2026-11-18"), daily(api, "2026-11-19")) == (7, 0)
    wish = day_form(api) | {"timezone": "America/Chicago", "day_starts_at": "17:00"}
    seen = send(api, "/settings/day", wish | {"action": "try"})
    text = html.unescape(seen.text)
    assert "2 days will change" in text
    assert "+$7.00" in text
    assert daily(api, "2026-11-18") == 7
    # a yes to something that was not looked at is no yes
    assert "days will change" in send(api, "/settings/day", wish | {"action": "keep"}).text
    assert rebooked(api, "America/Chicago", "17:00").status_code == 303
    assert (daily(api, "2026-11-18"), daily(api, "2026-11-19")) == (0, 7)
    assert api.get("/api/performance/daily")["metadata"]["timezone"] == "America/Chicago"
    assert (
        file.read_text()
        == '# ours\ntimezone = "America/Chicago"   # for now\ncurrency = "USD"\nday_starts_at = "17:00"\n'
    )
    shown = page(api, "/settings")
    assert shown.count("somebody at this machine") == 2
    assert "America/Chicago" in shown
    with api.place.tracker() as tracker:
        assert tracker.verify().matches


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"timezone": "Mars/North"}, "timezone"),
        ({"day_starts_at": "25:00"}, "day_starts_at"),
        ({"timezone": '"\nhost = "0.0.0.0'}, "timezone"),
    ],
)
def test_a_day_that_the_file_would_not_take_is_refused(api: Api, given: dict[str, str], field: str) -> None:
    answer = send(api, "/settings/day", day_form(api) | given)
    assert answer.status_code == 422
    assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', answer.text)
    assert not (api.place.folder / "config/tearsheet.toml").exists()


def test_what_the_environment_gives_is_shown_and_not_changed(make_api: Callable[..., Api]) -> None:
    api = make_api(PERFORMANCE_SUMMARY_TIMEZONE="Europe/Berlin")
    shown = page(api, "/settings")
    assert "Set by the environment variable <code>PERFORMANCE_SUMMARY_TIMEZONE</code>" in shown
    assert re.search(r'name="timezone" value="Europe/Berlin" readonly', shown)
    wish = {"timezone": "UTC", "day_starts_at": "00:00", "digest": ""}
    answer = send(api, "/settings/day", wish)
    assert answer.status_code == 422
    assert "PERFORMANCE_SUMMARY_TIMEZONE" in answer.text


def test_a_day_changed_by_somebody_else_is_not_overwritten(api: Api) -> None:
    old = day_form(api) | {"timezone": "Asia/Tokyo"}
    file = api.place.write("config/tearsheet.toml", 'currency = "USD"\n')
    answer = send(api, "/settings/day", old | {"action": "keep", "seen": "Asia/Tokyo 00:00"})
    assert answer.status_code == 409
    assert file.read_text() == 'currency = "USD"\n'


def test_no_calendar_ends_a_breach(api: Api) -> None:
    api.place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 50}}\n")
    api.fills(fill(-20), fill(-10, "SELL", 40))
    wish = day_form(api) | {"timezone": "Asia/Tokyo"}
    for action in ("try", "keep"):
        answer = send(api, "/settings/day", wish | {"action": action, "seen": "Asia/Tokyo 00:00"})
        assert answer.status_code == 422
        assert "daily_loss of A is broken" in answer.text
    assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "breach"
    api.post(
        "/api/risk/releases", {"account": "A", "limit": "daily_loss", "actor": "kim", "reason": "agreed"}, 201
    )
    assert rebooked(api, "Asia/Tokyo", "00:00").status_code == 303


def test_a_file_keeps_who_may_read_it_and_where_it_is(place: Place) -> None:
    real = place.write("elsewhere/targets.yaml", FILE)
    real.chmod(0o640)
    link = place.folder / "config/dashboard-targets.yaml"
    link.parent.mkdir()
    link.symlink_to(real)
    api = Api(place)
    assert change(api, daily_loss__amount="1").status_code == 303
    assert link.is_symlink()
    assert "daily_loss: 1 " in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640
