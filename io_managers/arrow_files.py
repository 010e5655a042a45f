"""Python files that Arrow reads in threads of its own, without a process that aborts as it ends."""

from __future__ import annotations

import atexit
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, cast

import pyarrow as pa

if TYPE_CHECKING:
    from io import IOBase

__all__ = ["readable_by_arrow"]

# A thread of Arrow that lets go of something of Python's while the interpreter ends aborts the process: it waits for the lock of the
# interpreter, which ends it (https://github.com/apache/arrow/issues/34314). So a file stays until others have come, so that a thread is
# never the last to let go of it, and a process does not end before all that was read is let go of.
_RECENT: deque[pa.PythonFile] = deque(maxlen=64)
_HELD: set[weakref.ref[memoryview]] = set()
_LONGEST = 2.0  # seconds; somebody may have kept what was read


class _Source:
    """What is read, until the block that opened it ends: a read that Arrow began ahead ends before, and none comes after."""

    closed = False

    def __init__(self, source: Any) -> None:
        self._source = source
        self._lock = Lock()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> memoryview:
        with self._lock:
            data = memoryview(b"" if self._source is None else self._source.read(size))
        # The set is changed by no code in Python, during which the thread that lets go could lose the lock of the interpreter.
        _HELD.add(weakref.ref(data, _HELD.discard))
        return data

    def close(self) -> None:
        with self._lock:
            self._source = None


@atexit.register
def _let_go() -> None:
    """Wait until the threads of Arrow have let go of what was read."""
    deadline = time.monotonic() + _LONGEST
    while _HELD and time.monotonic() < deadline:
        time.sleep(0.001)


@contextmanager
def readable_by_arrow(source: Any) -> Iterator[IO[Any]]:
    """What has `read(size)` as a file of Arrow; the block leaves `source` open."""
    guarded = _Source(source)
    file = pa.PythonFile(cast("IOBase", guarded), mode="r")
    _RECENT.append(file)
    try:
        yield cast("IO[Any]", file)  # as the types of Arrow's functions want it
    finally:
        guarded.close()
