"""The login cookie is Secure behind the proxy that the docs show.

Kind of fault: a documented sample that leaves out what the code needs to be safe.
"""

import http.client
import re
from urllib.parse import urlencode

import pytest

from benchmarks.running import Running
from tearsheet.cli import main
from tests.support.place import TOP, Place


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_the_sample_of_the_docs_makes_the_cookie_secure(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scheme: str,
    secure: bool,
) -> None:
    monkeypatch.chdir(place.folder)
    main(["tokens", "add", "desk"])
    found = re.search(r"ts_\S+", capsys.readouterr().out)
    assert found
    page = (TOP / "docs/deploying.md").read_text()
    sample = page.partition("```nginx")[2].partition("```")[0]
    values = {
        "$host": "tearsheet.example",
        "$remote_addr": "10.0.0.9",
        "$request_id": "a1",
        "$scheme": scheme,
    }
    named = dict(re.findall(r"proxy_set_header (\S+) (\S+);", sample))
    headers = {name: values[value] for name, value in named.items()}
    headers |= {
        "Origin": f"{scheme}://tearsheet.example",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    with Running(place.folder) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/login", urlencode({"token": found[0]}), headers)
        answer = connection.getresponse()
        connection.close()
    assert answer.status == 303
    cookie = answer.getheader("Set-Cookie") or ""
    assert "HttpOnly" in cookie
    assert ("Secure" in cookie) is secure
