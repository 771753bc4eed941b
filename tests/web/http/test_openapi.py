"""The description of the API is true: schemathesis asks the live application everything it promises."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck
from hypothesis.strategies._internal import regex

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
#: Which times are in the future, no schema can say.
WITH_LARGE_BODIES = ("/api/fills", "/api/marks")
#: Which signs a tag may not have, no schema can say.
WITH_TAGS = ("/api/positions/{position}/notes", "/api/notes/{note}")
#: Whether the bytes of a file are a statement, no schema can say.
OF_FILES = ("/api/import", "/api/reconcile")
#: A stream needs a server with threads, and does not end; test_events.py asks a real one.
STREAM = "/api/events"
CHECKS = {
    "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "401", "403", "404", "409", "422"]}
}


def operations() -> list[str]:
    """Method and path of every operation that is described, streams left out."""
    with TemporaryDirectory() as folder:
        document = Api(Place(Path(folder), {})).get("/openapi.json")
    return [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if path != STREAM
    ]


@pytest.fixture(scope="module")
def make_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Callable[[], None]]]:
    """Makes the test of an operation of a live application with some trading in it.

    What schemathesis does at collection is done here, when a test runs: making up 3,000 cases takes 7 s,
    and every process collects every test.
    """
    from schemathesis import openapi
    from schemathesis.checks import load_all_checks
    from schemathesis.config import ProjectConfig, SchemathesisConfig
    from schemathesis.generation.feedback import FeedbackSources
    from schemathesis.pytest._test_builder import build_operation_test
    from schemathesis.python._constants.orchestrator import make_constants_value_source

    place = Place(tmp_path_factory.mktemp("openapi"), {})
    place.log("2026-11-19", record(order_id="1", net="5"), record(order_id="2", net="-5"))
    api = Api(place)
    api.fills(*[fill(n, "BUY" if n % 2 else "SELL", n) for n in range(1, 9)])
    config = SchemathesisConfig.from_dict(
        {
            "operations": [
                {"include-path": sorted(COMBINED), "include-method": "GET", "checks": CHECKS},
                {
                    "include-path": [*WITH_LARGE_BODIES],
                    "include-method": "POST",
                    "phases": {"coverage": {"enabled": False}},
                    "checks": CHECKS,
                },
                {"include-path": [*WITH_TAGS], "include-method": "PUT", "checks": CHECKS},
                {"include-path": [*OF_FILES], "checks": CHECKS},
                {"include-path": STREAM, "enabled": False},
            ]
        }
    )
    secret = Tokens(place.settings().tokens_file).add("test", "write", NOON)
    schema = openapi.from_wsgi("/openapi.json", api.app, config=config)
    load_all_checks()
    by_label = {found.ok().label: found.ok() for found in schema.get_all_operations()}
    feedback = FeedbackSources(constants_value_source=make_constants_value_source(schema))

    @examples(25, *HealthCheck)
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {secret}"})

    def make(label: str) -> Callable[[], None]:
        return build_operation_test(
            config=schema.config, operation=by_label[label], test_func=ask, given_kwargs={}, feedback=feedback
        )

    with pytest.MonkeyPatch.context() as patch:
        # cached, since schemathesis merges its settings three times a case, and hypothesis spells out
        # the 46,000 characters that a tag may have whenever it draws one: 26 of 65 s
        for name in ("checks_config_for", "generation_for", "phases_for"):
            patch.setattr(ProjectConfig, name, cached(getattr(ProjectConfig, name)))
        patch.setattr(regex, "base_regex_strategy", cached(regex.base_regex_strategy))
        yield make


def cached(function: Callable[..., Any]) -> Callable[..., Any]:
    """Cache a function by a pattern, an operation's label and other arguments."""
    results: dict[str, Any] = {}

    def call(first: Any, **arguments: Any) -> Any:
        operation = arguments.get("operation")
        key = repr(
            (getattr(first, "pattern", None), arguments | {"operation": operation and operation.label})
        )
        if key not in results:
            results[key] = function(first, **arguments)
        return results[key]

    return call


@pytest.mark.parametrize("operation", operations())
def test_the_live_application_is_as_described(
    operation: str, make_test: Callable[[str], Callable[[], None]]
) -> None:
    make_test(operation)()


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
        if method in ("GET", "POST", "PUT", "DELETE") and not rule.endpoint.startswith("pages.")
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
    assert {"ListedFillPageAnswer", "ImportsAnswer", "VerdictAnswer", "VerdictListAnswer", "ErrorAnswer"} <= {
        *components
    }
    assert [name for name in components if not re.fullmatch("([A-Z][a-z]+)+", name)] == []
    references = re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document))
    assert {*references} <= {*components}


def test_fields_that_every_answer_contains_are_required(api: Api) -> None:
    components = api.get("/openapi.json")["components"]["schemas"]
    assert "commission" in components["ListedFill"]["required"]
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
    assert seen == 14


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
