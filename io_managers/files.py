"""Files in any fsspec file system: a path for each asset, and replacing a file at once or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
from collections.abc import Generator, Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

from warehouse_assets.keys import AssetKey

__all__ = ["Files", "file_path", "partition_folder", "temporary_file"]

COPIED_BYTES = 8 * 2**20  # at once, of a file that is uploaded
LONGEST_NAME = 200  # bytes; most file systems take 255, and a staged name is longer
_STAGED = re.compile(r"\.(?P<host>[^.]*)\.(?P<pid>\d+)\.\d+\.staged$")

_numbers = itertools.count(1)
_swept: set[str] = set()


def file_path(key: AssetKey, suffix: str) -> str:
    """The relative path of an asset's file: no two keys share one, and none leaves its folder or is hidden.

    Folders hold no dot, so that none is called like a file.

    >>> file_path(AssetKey(["lake", "staging", "orders"]), ".parquet")
    'lake/staging/orders.parquet'
    >>> file_path(AssetKey(["v1.2", "..", "a/b"]), ".parquet")
    'v1%2E2/%2E%2E/a%2Fb.parquet'
    """
    *folders, name = key.path
    return "/".join([*(_encoded(folder).replace(".", "%2E") for folder in folders), _encoded(name) + suffix])


def _encoded(segment: str) -> str:
    name = quote(segment, safe="")
    if name[0] == ".":
        name = "%2E" + name[1:]
    if len(name) <= LONGEST_NAME:
        return name
    from hashlib import sha256

    return f"{name[:120]}%-{sha256(segment.encode()).hexdigest()}"  # "%-" is in no quoted name


def partition_folder(keys: Mapping[str, str]) -> str:
    """The folders of a partition, by the name of each dimension, as tools of the Hive kind read them.

    >>> partition_folder({"day": "2024-01-01", "region": "a/b"})
    'day=2024-01-01/region=a%2Fb'
    """
    return "/".join(f"{_encoded(name)}={_encoded(key)}" for name, key in keys.items())


class Files:
    """The files of one I/O manager, under a base path, which is a local folder or a URL that fsspec knows."""

    def __init__(self, base_path: str, storage_options: Mapping[str, Any] | None = None) -> None:
        self.base_path = base_path
        if "://" in base_path or "::" in base_path:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]

            self.fs, self.root = url_to_fs(base_path, **(storage_options or {}))
            self.is_local = "file" in self.fs.protocol
        else:  # without fsspec, which takes a while to import
            self.fs, self.root, self.is_local = None, os.path.abspath(base_path), True

    def path(self, key: AssetKey, suffix: str) -> str:
        """The full path of an asset's file, without the protocol."""
        return f"{self.root.rstrip('/')}/{file_path(key, suffix)}"

    def uri(self, path: str) -> str:
        """The path with its protocol; a local one as it is."""
        return path if self.is_local else str(self.fs.unstrip_protocol(path))

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return os.path.isfile(path) if self.is_local else bool(self.fs.isfile(path))

    def size(self, path: str) -> int:
        """The bytes of the file, as the file system knows them."""
        return os.stat(path).st_size if self.is_local else int(self.fs.info(path, refresh=True)["size"])

    def open(self, path: str) -> BinaryIO:
        """The file, for reading; FileNotFoundError where there is none."""
        return open(path, "rb") if self.is_local else self.fs.open(path, "rb")

    def within(self, folder: str, suffix: str) -> list[str]:
        """The files in a folder and the folders in it that end so, sorted; none where there is no such folder."""
        if self.is_local:
            found = (f"{parent}/{name}" for parent, _, names in os.walk(folder) for name in names)
        else:
            self.fs.invalidate_cache(folder)
            found = (path for path in self.fs.find(folder) if path.startswith(f"{folder}/"))
        return sorted(path for path in found if path.endswith(suffix))

    def remove(self, path: str) -> bool:
        """Remove the file, or the folder with all that is in it; whether there was one."""
        if not self.exists(path) and self.within(path, ""):
            self._remove_folder(path)
            return True
        try:
            os.remove(path) if self.is_local else self.fs.rm_file(path)
        except FileNotFoundError:
            return False
        return True

    def _remove_folder(self, path: str) -> None:
        if self.is_local:
            import shutil

            shutil.rmtree(path)
        else:
            self.fs.rm(path, recursive=True)

    @contextlib.contextmanager
    def replacing_readably(self, path: str, *, durable: bool = False) -> Generator[str]:
        """Like `replacing`, with the path of a local file that can be read before it takes its place."""
        if self.is_local:
            with _staged_locally(path, durable) as staged:
                yield staged
            return
        import shutil

        with temporary_file() as local:
            yield local
            with self.replacing(path) as target, open(local, "rb") as content:
                assert not isinstance(target, str)
                shutil.copyfileobj(content, target, COPIED_BYTES)

    @contextlib.contextmanager
    def replacing(self, path: str, *, durable: bool = False) -> Generator[str | BinaryIO]:
        """Where to write the new content: the path of a local file, or an open one.

        It takes the place of the file when the block ends; after an exception the old file is as it was. A `durable` file is on
        the disk before that, should the machine fail; it costs milliseconds.
        """
        if self.is_local:
            with _staged_locally(path, durable) as staged:
                yield staged
            return
        handle = self._uncommitted(path)
        try:
            yield handle
            handle.close()
        except BaseException:
            handle.discard()
            with contextlib.suppress(AttributeError):
                handle.closed = True  # or collecting it would upload what it has
            raise
        handle.commit()
        self.fs.invalidate_cache(path.rpartition("/")[0])

    def _uncommitted(self, path: str) -> Any:
        if "memory" in self.fs.protocol:  # its own open() publishes the file before it is written
            from fsspec.implementations.memory import MemoryFile  # type: ignore[import-untyped]

            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            return MemoryFile(self.fs, path)
        return self.fs.open(path, "wb", autocommit=False)


@contextlib.contextmanager
def temporary_file() -> Generator[str]:
    """The path of a local file that is gone after the block."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="warehouse_assets_") as folder:
        yield f"{folder}/staged"


@contextlib.contextmanager
def _staged_locally(path: str, durable: bool) -> Iterator[str]:
    folder, _, name = path.rpartition("/")
    staged = f"{folder}/.{name}.{_host()}.{os.getpid()}.{next(_numbers)}.staged"
    if folder not in _swept:
        os.makedirs(folder, exist_ok=True)
        _sweep(folder)
        _swept.add(folder)
    try:
        yield staged
        if durable:
            _flush(staged)
        os.replace(staged, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(staged)
        raise


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: str) -> None:
    """Remove what writers that were killed on this machine left in a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            staged = _STAGED.search(entry.name) if entry.name[0] == "." else None
            if staged and staged["host"] == _host() and not _is_alive(int(staged["pid"])):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(entry.path)


def _host() -> str:
    return quote(socket.gethostname(), safe="").replace(".", "%2E")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
