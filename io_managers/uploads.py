"""Writing a file elsewhere: in parts, as it is made, and replacing the old one at once or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any, BinaryIO, cast

from io_managers.cloud import reaching, unreachable
from warehouse_assets.errors import TableError

__all__ = ["upload"]

SENDS_AT_ONCE = {"s3", "gs", "abfs"}  # the protocols that replace a file by one request


@contextlib.contextmanager
def upload(fs: Any, path: str, uri: str, confirm: Callable[[], None] | None = None) -> Generator[BinaryIO]:
    """An open file that takes the place of `path` as the block ends; after an exception nothing is there of it, nor of its parts.

    `confirm` is called right before, and may raise.
    """
    with reaching(uri):
        handle = _uncommitted(fs, path)
    target = _Upload(handle, uri)
    try:
        yield cast(BinaryIO, target)
        if confirm is not None:
            confirm()
        with reaching(uri):
            _publish(fs, path, handle, uri)
    except BaseException as error:
        with contextlib.suppress(Exception):  # parts that cannot be given up now are seen by no reader
            handle.discard()
        with contextlib.suppress(AttributeError):
            handle.closed = True  # or collecting it would upload what it has
        if target.failure is not None and isinstance(error, Exception):  # which polars takes for one of its own
            raise target.failure from None
        raise
    fs.invalidate_cache(path.rpartition("/")[0])


class _Upload:
    """A file of fsspec whose failures to send name the place."""

    def __init__(self, handle: Any, uri: str) -> None:
        self._handle = handle
        self._uri = uri
        self.failure: Exception | None = None

    def write(self, data: Any) -> int:
        try:
            with reaching(self._uri):
                written: int = self._handle.write(data)
        except Exception as error:
            self.failure = error
            raise
        return written

    def flush(self) -> None:
        """Nothing: parts are sent as they fill, and stores refuse small ones."""

    def close(self) -> None:
        """Nothing: whoever opened the file closes it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


def _publish(fs: Any, path: str, handle: Any, uri: str) -> None:
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
    if protocols & SENDS_AT_ONCE and handle.offset is None:  # nothing was sent yet: one request does
        fs.pipe_file(path, handle.buffer.getvalue())
        handle.closed = True
    elif "abfs" not in protocols:
        handle.close()
        handle.commit()
    else:
        try:
            handle.close()
        except RuntimeError as error:
            raise _met_another(error, uri) from None


def _met_another(error: RuntimeError, uri: str) -> Exception:
    """Azure forgets the parts of everyone who is writing a file as one of them is done."""
    if "InvalidBlockList" not in str(error):
        return unreachable(uri, error)
    return TableError(f"{uri} was written by someone else at the same time, and is what they wrote", hint="Run it again.")


def _uncommitted(fs: Any, path: str) -> Any:
    if "memory" in fs.protocol:  # its own open() publishes the file before it is written
        from fsspec.implementations.memory import MemoryFile  # type: ignore[import-untyped]

        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        return MemoryFile(fs, path)
    return fs.open(path, "wb", autocommit=False)
