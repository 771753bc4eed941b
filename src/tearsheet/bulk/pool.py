"""Workers on this machine, which make the parts of a run side by side."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue

import msgspec

from tearsheet import errors
from tearsheet.bulk.lake import Lake
from tearsheet.bulk.run import BulkRun, make_part
from tearsheet.bulk.worker import PartAnswer, PartRequest
from tearsheet.errors import InputError, TearsheetError

OnPart = Callable[[str, int], None]
#: How often a part is begun again whose worker was killed.
_TRIES = 3
_CLASSES = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, TearsheetError)
}


def make_parts(lake: Lake, run: BulkRun, parts: Sequence[str], processes: int, on_part: OnPart) -> None:
    """Make parts of a run by as many processes; `on_part` hears of each with its fills. Raises TearsheetError.

    A part whose worker ends is made by another one, three times at most. 0 processes are this one.
    """
    if not processes or not parts:
        for part in parts:
            on_part(part, make_part(lake, run, part).fills)
        return
    waiting: SimpleQueue[str] = SimpleQueue()
    for part in parts:
        waiting.put(part)
    with ThreadPoolExecutor(min(processes, len(parts))) as threads:
        lanes = [
            threads.submit(_work, lake.place.address, run, waiting, on_part)
            for _ in range(min(processes, len(parts)))
        ]
        for lane in lanes:
            lane.result()


def _work(address: str, run: BulkRun, waiting: "SimpleQueue[str]", on_part: OnPart) -> None:
    """Hand parts to a worker until none waits; after an error nobody takes another one."""
    worker = _PartWorker()
    try:
        while True:
            made = worker.make(PartRequest(address, run, waiting.get_nowait()))
            on_part(made.part, made.fills)
    except Empty:
        return
    except BaseException:
        with suppress(Empty):
            while True:
                waiting.get_nowait()
        raise
    finally:
        worker.close()


class _PartWorker:
    """A process that makes parts, and the one that follows if it is killed."""

    def __init__(self) -> None:
        self._process = _start()

    def make(self, request: PartRequest) -> PartAnswer:
        """Have a part made. Raises TearsheetError as the process did, and InputError if it always ends."""
        for _ in range(_TRIES):
            answer = _ask(self._process, request)
            if answer is not None:
                if answer.error is not None:
                    code, message, hint = answer.error
                    raise _CLASSES[code](message, hint)
                return answer
            self.close()
            self._process = _start()
        raise InputError(
            f"the worker of {request.part} was killed {_TRIES} times",
            "it may lack memory: take fewer processes, or more buckets; what is made is kept",
        )

    def close(self) -> None:
        """Let the process end, and wait for it."""
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        self._process.wait()


def _start() -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tearsheet.bulk.worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _ask(worker: "subprocess.Popen[bytes]", request: PartRequest) -> PartAnswer | None:
    """Return the answer of a worker; None if it ended before."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(msgspec.json.encode(request) + b"\n")
        worker.stdin.flush()
    except BrokenPipeError:
        return None
    line = worker.stdout.readline()
    return msgspec.json.decode(line, type=PartAnswer) if line.endswith(b"\n") else None
