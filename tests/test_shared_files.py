"""Files that several processes share: replaced atomically, locked, appended line by line."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.shared_files import (
    append_lines,
    exclusive_lock,
    file_size,
    read_last_lines,
    read_lines,
    replace_file,
)


@given(st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line), max_size=30), st.data())
def test_reading_on_from_the_end_of_any_line_gives_the_lines_after_it(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("lines") / "log.jsonl"
    size = append_lines(path, lines)
    found = list(read_lines(path))
    assert [line for line, _ in found] == lines
    assert [end for _, end in found][-1:] == ([size] if lines else [])
    number = data.draw(st.integers(0, len(lines)))
    offset = found[number - 1][1] if number else 0
    assert list(read_lines(path, offset)) == found[number:]
    assert list(read_last_lines(path)) == [line for line, _ in reversed(found)]


def test_a_partial_line_waits_until_it_is_whole_and_is_terminated_by_the_next_append(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_lines(path, [b"one"])
    with path.open("ab") as file:
        file.write(b"tw")
    assert list(read_lines(path)) == [(b"one", 4)]
    append_lines(path, [b"three"])
    assert list(read_lines(path, 4)) == [(b"tw", 7), (b"three", 13)]


def test_a_replaced_file_is_read_from_its_start_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert (list(read_lines(path, 9)), file_size(path), list(read_last_lines(path))) == ([], 0, [])
    path.write_bytes(b"new\n")
    assert list(read_lines(path, 9)) == [(b"new", 4)]
    assert list(read_lines(path, 4)) == []


def test_a_lock_is_held_by_one_and_waited_for_as_long_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive_lock(path) as first, exclusive_lock(path) as second:
        assert (first, second) == (True, False)
    held, end = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive_lock(path):
            held.set()
            end.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    threading.Timer(0.1, end.set).start()
    with exclusive_lock(path, timeout_s=10) as is_mine:
        assert is_mine
    thread.join()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    for durable in (True, False):
        replace_file(path, b"x" * 3, 0o600, durable=durable)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"xxx", 0o600)
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(path, b"new")
    assert [one.name for one in path.parent.iterdir()] == ["file"]
