"""Fixtures that every test may ask for."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import laws
from tests.support.api import Api
from tests.support.exports import validate_exports
from tests.support.place import Place, Scenario, read_scenario
from tests.support.postgres_server import PostgresServer, running_postgres

settings.load_profile(laws.QUICK)  # `--hypothesis-profile thorough` takes the other

#: Files of 15 seconds and more, the longest first: begun last, one of them would run alone while other workers idle.
LONG_FILES = (
    "browser/test_dashboard.py",
    "stories/test_soak.py",
    "browser/test_charts.py",
    "browser/test_live.py",
    "browser/test_notes.py",
    "browser/test_tables.py",
    "guard/test_guard.py",
    "store/db/test_postgres.py",
    "stories/test_freshness.py",
    "web/api/test_events.py",
    "app/limits/test_verdicts.py",
    "stories/test_long_imports.py",
    "browser/test_imports_alerts_settings.py",
    "browser/test_first_minute.py",
    "browser/test_tear_sheet.py",
    "watch/test_watcher.py",
    "stories/test_polling_client.py",
    "guard/test_fleet.py",
    "web/server/test_gunicorn_worker.py",
    "web/server/test_gunicorn_server.py",
    "stories/test_containers.py",
    "stories/test_concurrent_imports.py",
    "web/http/test_openapi.py",
    "store/tables/test_trade_list.py",
    "store/db/test_postgres_laws.py",
    "stories/test_faults.py",
    "stories/test_network.py",
)
_TESTS = Path(__file__).parent
_RANKS = {_TESTS / name: rank for rank, name in enumerate(LONG_FILES)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the sort keeps the order within a file."""
    items.sort(key=lambda item: _RANKS.get(item.path, len(_RANKS)))


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """The scenario in the test's docstring."""
    return read_scenario(request.function.__doc__)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a place be kept in SQLite and in PostgreSQL."""
    if "place" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        of_file = metafunc.definition.get_closest_marker("sqlite")
        databases = ["sqlite"] if of_file else ["sqlite", "postgres"]
        metafunc.parametrize("place", databases, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that runs as long as the tests do."""
    yield from running_postgres()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a test sets of the logging is undone, so that the next one hears what it logs."""
    logger = logging.getLogger("tearsheet")
    before = (logger.level, logger.propagate, list(logger.handlers))
    yield
    logger.setLevel(before[0])
    logger.propagate, logger.handlers[:] = before[1], before[2]


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty place to trade in; whatever a test exports there is as the schemas say."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield Place(tmp_path, {})
        validate_exports(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.ledger()
    place = Place(tmp_path, {"DATABASE_URL": url})
    yield place
    validate_exports(tmp_path)
    for tracker in place.trackers:
        tracker.close()
    server.give_back(url)


@pytest.fixture
def make_api(place: Place) -> Callable[..., Api]:
    """Makes an application by settings."""
    return lambda **env: Api(place, **env)


@pytest.fixture
def api(place: Place) -> Api:
    """An application by the default settings."""
    return Api(place)
