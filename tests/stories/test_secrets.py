"""Files of secrets that are missing, unreadable or empty are said by whoever judges, not first when they are needed.

Kind of fault: a file that a setting names is opened late, so that everything looks well until it is. Places: the
webhook's secret, the tokens of the API, the token of the guard.
"""

import json
from pathlib import Path

import pytest

from tearsheet.cli import main
from tearsheet.errors import SettingsError
from tearsheet.guard.client import TokenFile
from tearsheet.web.http.auth import Tokens
from tests.support.api import Api
from tests.support.place import EVENING, NOON, Place, record

SECRET = "0123456789abcdef0123"


@pytest.fixture
def secret(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A webhook whose secret can be read."""
    path = place.write("secret", SECRET)
    place.env |= {
        "TEARSHEET_WEBHOOK_URL": "http://127.0.0.1:9/hook",
        "TEARSHEET_WEBHOOK_SECRET_FILE": "secret",
    }
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.folder)
    return path


@pytest.mark.parametrize("content", [None, "", "   \n", "short", Path])
def test_check_says_that_no_alert_could_be_delivered(
    secret: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 0
    secret.unlink()
    if content is Path:
        secret.mkdir()
    elif content is not None:
        secret.write_text(str(content))
    assert main(["check"]) == 65
    assert "TEARSHEET_WEBHOOK_SECRET_FILE" in capsys.readouterr().out
    assert main(["summary"]) == 0  # it is no matter of the numbers


def test_a_webhook_without_a_secret_is_said(
    secret: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TEARSHEET_WEBHOOK_SECRET_FILE")
    assert main(["check"]) == 65
    assert "TEARSHEET_WEBHOOK_SECRET_FILE is not" in capsys.readouterr().out


def test_a_breach_goes_before_a_secret_that_is_missing(
    place: Place, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write("config/dashboard-targets.yaml", "daily_pl_target: -10\n")
    place.log("2026-11-20", record(order_id="1", net="-100", at=NOON))
    secret.unlink()
    assert main(["check", "--start", "2026-11-20"]) == 2
    assert "TEARSHEET_WEBHOOK_SECRET_FILE" in capsys.readouterr().out


def test_the_service_says_it_before_it_is_started_again(place: Place, secret: Path) -> None:
    api = Api(place)
    assert "webhook" not in api.get("/readyz")["checks"]
    secret.write_text("")
    found = api.get("/readyz")
    assert (found["status"], found["checks"]["webhook"]["detail"]) == ("degraded", "bad_webhook")
    secret.write_text(SECRET)
    assert api.get("/readyz")["status"] == "healthy"


def test_tokens_that_are_gone_let_nobody_in(place: Place) -> None:
    """An unmounted folder of settings must not make the service one without tokens."""
    tokens = Tokens(place.settings().tokens_file)
    bearer = {"Authorization": f"Bearer {tokens.add('chief', 'risk', EVENING)}"}
    api = Api(place)
    api.get("/api/fills", **bearer)
    assert api.ask("GET", "/api/fills").status_code == 401
    kept = place.settings().tokens_file.read_bytes()
    place.settings().tokens_file.unlink()
    assert api.ask("GET", "/api/fills").status_code >= 500
    assert api.ask("GET", "/api/fills", **bearer).status_code >= 500
    place.settings().tokens_file.write_bytes(kept)
    api.get("/api/fills", **bearer)
    tokens.revoke("chief")  # the last one, by intent
    api.get("/api/fills")


def test_check_says_that_the_tokens_cannot_be_read(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    place.write("config/api-tokens.json", "[{}]")
    assert main(["check"]) == 65
    assert "api-tokens.json cannot be used" in capsys.readouterr().out


def test_a_guard_whose_token_file_is_empty_says_so(place: Place) -> None:
    file = place.write("token", "\n")
    with pytest.raises(SettingsError, match="token is empty"):
        TokenFile(file).headers()
    assert json.dumps(TokenFile(None).headers()) == "{}"
