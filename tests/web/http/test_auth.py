"""Who may read and write: tokens, loopback, proxies, other sites' pages."""

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tearsheet.cli import main
from tearsheet.errors import NotFoundError, SettingsError, UsageError
from tearsheet.web.http.auth import Tokens, check_bind_address, is_loopback
from tests.support.api import Api, fill
from tests.support.place import NOON, Place

ELSEWHERE = {"REMOTE_ADDR": "10.0.0.7"}


def ask(
    api: Api, path: str = "/api/accounts", method: str = "GET", token: str | None = None, **more: str
) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    origin = more.pop("origin", None) or ELSEWHERE["REMOTE_ADDR"]
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    content = fill(1) if method == "POST" else None
    return api.client.open(
        path, method=method, json=content, headers=headers, environ_base={"REMOTE_ADDR": origin}
    )


@pytest.fixture
def tokens(place: Place) -> Tokens:
    return Tokens(place.settings().tokens_file)


def test_without_tokens_only_this_machine_is_answered(api: Api) -> None:
    assert ask(api, origin="127.0.0.1").status_code == 200
    assert ask(api, "/api/fills", "POST", origin="::1").status_code == 201
    refused = ask(api)
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="tearsheet"')
    assert "tearsheet tokens add" in json.loads(refused.text)["error"]["hint"]
    assert ask(api, "/api/fills", "POST").status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_what_a_proxy_hands_on_is_not_from_this_machine(api: Api, header: str) -> None:
    assert ask(api, origin="127.0.0.1", **{header: "1.2.3.4"}).status_code == 401


def test_a_name_that_was_pointed_at_the_loopback_is_refused(api: Api) -> None:
    assert ask(api, origin="127.0.0.1", Host="evil.example").status_code == 401
    assert ask(api, origin="127.0.0.1", Host="localhost:5000").status_code == 200


def test_tokens_allow_what_they_were_made_for(api: Api, tokens: Tokens) -> None:
    reader, writer = tokens.add("desk", "read", NOON), tokens.add("bot", "write", NOON)
    assert ask(api, token=reader).status_code == 200
    assert ask(api, token=writer).status_code == 200
    assert ask(api, "/api/fills", "POST", token=writer).status_code == 201
    refused = ask(api, "/api/fills", "POST", token=reader)
    assert (refused.status_code, json.loads(refused.text)["error"]["type"]) == (403, "forbidden")
    for wrong in ("x", reader[:-1], reader + "x", f"{reader} {reader}", "\u00e9", "a" * 100_000):
        assert ask(api, token=wrong.encode().decode("latin-1")).status_code == 401, wrong[:40]
    assert ask(api, Authorization=f"Basic {reader}").status_code == 401
    assert ask(api, origin="127.0.0.1").status_code == 401, "with tokens, this machine needs one too"
    assert ask(api, "/metrics").status_code == 401
    for path in ("/healthz", "/readyz", "/api/performance/health", "/docs", "/openapi.json"):
        assert ask(api, path).status_code == 200, path


def test_a_revoked_token_is_refused_from_then_on(api: Api, tokens: Tokens) -> None:
    secret = tokens.add("desk", "read", NOON)
    tokens.add("other", "read", NOON)
    assert ask(api, token=secret).status_code == 200
    tokens.revoke("desk")
    assert ask(api, token=secret).status_code == 401
    with pytest.raises(NotFoundError, match="no token 'desk'"):
        tokens.revoke("desk")
    with pytest.raises(UsageError, match="there is a token 'other'"):
        tokens.add("other", "write", NOON)


def test_only_hashes_are_kept_and_only_for_the_owner(place: Place, tokens: Tokens) -> None:
    secret = tokens.add("desk", "read", NOON)
    file = place.settings().tokens_file
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(secret) > 40


def test_a_broken_tokens_file_lets_nobody_in(api: Api, tokens: Tokens) -> None:
    api.place.settings().tokens_file.parent.mkdir(parents=True, exist_ok=True)
    api.place.settings().tokens_file.write_text("[{}]")
    assert ask(api, origin="127.0.0.1").status_code == 500
    with pytest.raises(SettingsError, match="tokens file"):
        tokens.all()


def test_anybody_may_read_where_it_is_allowed_and_nobody_write(
    make_api: Callable[..., Api], tokens: Tokens
) -> None:
    api = make_api(TEARSHEET_ANONYMOUS_READ="yes")
    assert ask(api).status_code == 200
    assert ask(api, "/metrics").status_code == 200
    assert ask(api, "/api/fills", "POST").status_code == 401
    secret = tokens.add("bot", "write", NOON)
    assert ask(api, "/api/fills", "POST", token=secret).status_code == 201
    assert ask(api, token="wrong").status_code == 401, "a token that is sent must be known"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_a_page_of_another_site_may_not_write(api: Api, headers: dict[str, str]) -> None:
    refused = ask(api, "/api/fills", "POST", origin="127.0.0.1", **headers)
    assert refused.status_code == 403
    own = ask(api, "/api/fills", "POST", origin="127.0.0.1", Origin="http://localhost")
    assert own.status_code == 201


def test_secrets_are_in_no_log_line(api: Api, tokens: Tokens, caplog: pytest.LogCaptureFixture) -> None:
    secret = tokens.add("desk", "read", NOON)
    with caplog.at_level("DEBUG"):
        ask(api, token=secret)
        ask(api, token=secret + "x")
    assert secret not in caplog.text
    assert not any(secret in str(record.__dict__) for record in caplog.records)


def test_beyond_loopback_nothing_listens_without_a_token(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens.json")
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        check_bind_address(host, tokens, anonymous_read=False)
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", ""):
        assert not is_loopback(host)
        with pytest.raises(UsageError, match="every machine"):
            check_bind_address(host, tokens, anonymous_read=False)
        check_bind_address(host, tokens, anonymous_read=True)
    tokens.add("desk", "read", datetime.now(UTC))
    check_bind_address("0.0.0.0", tokens, anonymous_read=False)


def test_serve_refuses_to_listen_for_everybody(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 64
    assert "--allow-anonymous-read" in capsys.readouterr().err


def test_tokens_by_the_command_line(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    assert main(["tokens", "list"]) == 0
    assert "No tokens." in capsys.readouterr().out
    assert main(["tokens", "add", "bot", "--write"]) == 0
    secret = capsys.readouterr().out.strip()
    assert main(["tokens", "list"]) == 0
    listed = capsys.readouterr().out
    assert "bot" in listed
    assert "write" in listed
    assert secret not in listed
    assert Tokens(place.settings().tokens_file).permission_of(secret) == "write"
    assert main(["tokens", "add", "bot"]) == 64
    assert main(["tokens", "revoke", "bot"]) == 0
    assert Tokens(place.settings().tokens_file).permission_of(secret) is None


@pytest.mark.parametrize("option", ["--risk", "--desk"])
def test_a_token_with_the_risk_permission_has_two_option_names(
    option: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    assert main(["tokens", "add", "chief", option]) == 0
    secret = capsys.readouterr().out.strip()
    assert main(["tokens", "list"]) == 0
    assert "risk" in capsys.readouterr().out
    assert Tokens(place.settings().tokens_file).permission_of(secret) == "risk"


@pytest.mark.parametrize("word", ["risk", "desk"])
def test_a_tokens_file_may_have_either_word_for_the_risk_permission(
    word: str, place: Place, tokens: Tokens
) -> None:
    secret = tokens.add("chief", "risk", NOON)
    file = place.settings().tokens_file
    assert '"desk"' in file.read_text(), "versions that know this word only can still read the file"
    file.write_text(file.read_text().replace('"desk"', f'"{word}"'))
    assert Tokens(file).permission_of(secret) == "risk"
