"""Python files that Arrow reads in threads of its own, without a process that aborts as it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, cast

import pyarrow as pa

if TYPE_CHECKING:
    from io import IOBase

__all__ = ["readable_by_arrow"]

# A thread of Arrow that is the last to let go of a Python file, while the interpreter ends, aborts the process
# (https://github.com/apache/arrow/issues/34314). So that it never is the last one, a file stays until others have come.
_RECENT: deque[pa.PythonFile] = deque(maxlen=64)


class _Source:
    """What is read, until the block that opened it ends: a read that Arrow began ahead ends before, and none comes after."""

    closed = False

    def __init__(self, source: Any) -> None:
        self._source = source
        self._lock = Lock()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        with self._lock:
            data: bytes = b"" if self._source is None else self._source.read(size)
            return data

    def close(self) -> None:
        with self._lock:
            self._source = None


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
