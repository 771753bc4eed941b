"""The description of the API is true: schemathesis asks the live application everything it promises."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import schemathesis
from hypothesis import HealthCheck
from schemathesis.config import SchemathesisConfig

from tearsheet.web import create_app
from tearsheet.web.api.charts import ENDPOINTS
from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.support.laws import examples
from tests.support.place import NOON, Place, record

#: Each value may be allowed and yet two of them contradict each other, which a schema cannot say.
COMBINED = {
    "/api/performance/summary",
    "/api/performance/explain",
    "/api/positions",
    "/api/fills",
    *(f"/api/performance/{row.path}" for row in ENDPOINTS),
}
#: Every boundary of every field in three shapes of body takes minutes to make up; these are fuzzed only.
WITH_LARGE_BODIES = ("/api/fills", "/api/marks")
#: Which signs a tag may not have, no schema can say.
WITH_TAGS = ("/api/positions/{position}/notes", "/api/notes/{note}")
CHECKS = {
    "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "401", "403", "404", "409", "422"]}
}


_FOLDER = TemporaryDirectory(prefix="tearsheet-openapi-")


def described() -> Any:
    """The schema of a live application with some trading in it."""
    place = Place(Path(_FOLDER.name), {})
    place.log("2026-11-19", record(order_id="1", net="5"), record(order_id="2", net="-5"))
    api = Api(place)
    api.fills(*[fill(n, "BUY" if n % 2 else "SELL", n) for n in range(1, 9)])
    operations: list[dict[str, Any]] = [
        {"include-path": path, "include-method": "GET", "checks": CHECKS} for path in sorted(COMBINED)
    ]
    operations += [
        {"include-path": path, "include-method": "POST", "phases": {"coverage": {"enabled": False}}}
        for path in WITH_LARGE_BODIES
    ]
    operations += [{"include-path": path, "include-method": "PUT", "checks": CHECKS} for path in WITH_TAGS]
    # a stream needs a server with threads, and does not end; test_events.py asks a real one
    operations.append({"include-path": "/api/events", "enabled": False})
    # whether the bytes of a file are a statement, no schema can say
    operations += [{"include-path": f"/api/{name}", "checks": CHECKS} for name in ("import", "reconcile")]
    config = SchemathesisConfig.from_dict({"operations": operations})
    return schemathesis.openapi.from_wsgi("/openapi.json", api.app, config=config)


live = described()
secret = Tokens(Place(Path(_FOLDER.name), {}).settings().tokens_file).add("test", "write", NOON)


@live.parametrize()
@examples(25, *HealthCheck)
def test_the_live_application_is_as_described(case: Any) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {secret}"})


def test_every_operation_is_described_and_every_description_is_an_operation(api: Api) -> None:
    document = api.get("/openapi.json")
    assert document["openapi"] == "3.1.0"
    described = {
        (method.upper(), path.replace("{", "<").replace("}", ">"))
        for path, methods in document["paths"].items()
        for method in methods
    }
    rules = {
        (method, rule.rule)
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method in ("GET", "POST", "PUT") and not rule.endpoint.startswith("pages.")
    }
    aliases = {
        (method, path)
        for method, path in rules - described
        if f"`{path.replace('<', '{').replace('>', '}')}`" in json.dumps(document)
    }
    assert rules == described | aliases


def test_components_have_plain_names_and_every_reference_is_one(api: Api) -> None:
    document = api.get("/openapi.json")
    components = document["components"]["schemas"]
    assert {"FillPageAnswer", "ImportsAnswer", "VerdictAnswer", "VerdictListAnswer", "ErrorAnswer"} <= {
        *components
    }
    assert [name for name in components if not re.fullmatch("([A-Z][a-z]+)+", name)] == []
    references = re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document))
    assert {*references} <= {*components}


def test_fields_that_every_answer_contains_are_required(api: Api) -> None:
    components = api.get("/openapi.json")["components"]["schemas"]
    assert "commission" in components["Fill"]["required"]
    assert {*components["ImportResult"]["properties"]} - {*components["ImportResult"]["required"]} == {
        "changes"
    }
    assert {*components["RejectionView"]["properties"]} - {*components["RejectionView"]["required"]} == {
        "account",
        "since",
        "until",
    }


def test_examples_are_as_their_schemas_say(api: Api) -> None:
    document = api.get("/openapi.json")
    seen = 0
    for methods in document["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "example" in content:
                    jsonschema.validate(content["example"], content["schema"])
                    seen += 1
    assert seen == 7


def test_the_page_for_people_names_every_operation(api: Api) -> None:
    page = api.ask("GET", "/docs")
    assert page.mimetype == "text/html"
    assert "<script" not in page.text
    for path in api.get("/openapi.json")["paths"]:
        assert path in page.text
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    assert api.ask("GET", "/docs.css").mimetype == "text/css"


def test_two_applications_in_one_process_are_apart(api: Api, tmp_path: Path) -> None:
    other = Place(tmp_path / "other", {})
    second = create_app(other.settings(), lambda: NOON).test_client()
    api.fills(fill(1), fill(2, "SELL", 103))
    assert json.loads(second.get("/api/performance/daily").text)["data"]["daily_pnl"] == 0
