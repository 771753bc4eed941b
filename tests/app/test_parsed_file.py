"""A settings file is parsed once per content, and its last good content outlives a broken file."""

from pathlib import Path

import pytest
from msgspec import Struct

from tearsheet.app.parsed_file import ParsedFile
from tearsheet.errors import SettingsError
from tearsheet.store.tables.ledger import Ledger
from tests.support.place import Place


class Content(Struct, frozen=True):
    text: str


class Parser:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, path: Path) -> Content:
        self.calls += 1
        text = path.read_text() if path.exists() else ""
        if text == "bad":
            raise SettingsError("it is bad", "write something else")
        return Content(text)


def parsed(ledger: Ledger, path: Path) -> tuple[ParsedFile[Content], Parser]:
    parser = Parser()
    return ParsedFile(ledger, path, "content", Content, parser), parser


def test_content_is_parsed_once_for_all_processes_and_kept_while_the_file_is_broken(place: Place) -> None:
    path = place.write("file", "one")
    with place.tracker() as tracker:
        file, parser = parsed(tracker.ledger, path)
        assert [file.load() for _ in range(3)] == [Content("one")] * 3
        assert (parser.calls, file.is_stored, file.last_stored()) == (1, False, None)
        with tracker.ledger.writing():
            file.store()
        other, other_parser = parsed(tracker.ledger, path)
        assert (other.load(), other_parser.calls) == (Content("one"), 0)
        path.write_text("bad")
        for _ in range(2):
            with pytest.raises(SettingsError, match="bad"):
                other.load()
        with tracker.ledger.writing():
            other.store()
        assert (other_parser.calls, other.last_stored()) == (1, Content("one"))
        path.write_text("two")
        assert (other.load(), other.is_stored) == (Content("two"), False)


def test_a_missing_file_is_parsed_as_missing_and_an_unreadable_one_is_an_error(place: Place) -> None:
    path = place.folder / "file"
    with place.tracker() as tracker:
        file, _ = parsed(tracker.ledger, path)
        assert (file.load(), file.digest) == (Content(""), "")
        path.mkdir()
        with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
            file.load()


def test_content_that_another_version_stored_is_parsed_again(place: Place) -> None:
    path = place.write("file", "one")
    with place.tracker() as tracker:
        file, _ = parsed(tracker.ledger, path)
        file.load()
        with tracker.ledger.writing():
            file.store()
            tracker.ledger.put("content", '{"other": 1}')
        other, parser = parsed(tracker.ledger, path)
        assert (other.load(), parser.calls) == (Content("one"), 1)
