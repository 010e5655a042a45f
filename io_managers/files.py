"""Files in any fsspec file system: a path for each asset, and replacing a file at once or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import socket
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias
from urllib.parse import quote

from warehouse_assets.keys import AssetKey

__all__ = ["Files", "Stamp", "encoded", "file_path"]

LONGEST_NAME = 200  # bytes; most file systems take 255, and a staged name is longer
COPIED_BYTES = 1 << 22  # at a time, from a staged file into the store
UPLOADS = 4  # at a time, each of which may have a part of 50 MB in memory

Stamp: TypeAlias = tuple[int, str]
"""The bytes of a file, and what is another text after each write of it, as far as the file system tells."""

_STAGED = re.compile(r"\.(?P<host>[^.]*)\.(?P<pid>\d+)\.\d+\.staged$")

_VERSIONS = {"etag", "lastmodified", "last_modified", "mtime", "updated", "created", "generation", "md5hash", "mdtm"}

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
    return "/".join([*(encoded(folder).replace(".", "%2E") for folder in folders), encoded(name) + suffix])


def encoded(segment: str) -> str:
    """A text as part of a path: percent-encoded, so that any reader can tell it, and cut where it is too long to be a name."""
    name = quote(segment, safe="")
    if name[0] == ".":
        name = "%2E" + name[1:]
    if len(name) <= LONGEST_NAME:
        return name
    from hashlib import sha256

    return f"{name[:120]}%-{sha256(segment.encode()).hexdigest()}"  # "%-" is in no quoted name


class Files:
    """The files of one I/O manager, under a base path, which is a local folder or a URL that fsspec knows."""

    def __init__(self, base_path: str, storage_options: Mapping[str, Any] | None = None) -> None:
        self.base_path = base_path
        if "://" in base_path or "::" in base_path:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]

            from io_managers.cloud import native_store, reaching, required_extra

            with required_extra(base_path):
                self.fs, self.root = url_to_fs(base_path, **(storage_options or {}))
            self.is_local = "file" in self.fs.protocol
            self._reaching = reaching
            self.native = native_store(self.fs, storage_options or {}) if "::" not in base_path else None
        else:  # without fsspec, which takes a while to import
            self.fs, self.root, self.is_local, self.native = None, os.path.abspath(base_path), True, None

    def path(self, key: AssetKey, suffix: str) -> str:
        """The full path of an asset's file, without the protocol."""
        return f"{self.root.rstrip('/')}/{file_path(key, suffix)}"

    def uri(self, path: str) -> str:
        """The path with its protocol; a local one as it is."""
        return path if self.is_local else str(self.fs.unstrip_protocol(path))

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return os.path.isfile(path) if self.is_local else self.stamp(path) is not None

    def size(self, path: str) -> int:
        """The bytes of the file, as the file system knows them."""
        if self.is_local:
            return os.stat(path).st_size
        if (stamp := self.stamp(path)) is None:
            raise FileNotFoundError(self.uri(path))
        return stamp[0]

    def stamp(self, path: str) -> Stamp | None:
        """What tells a file of a store elsewhere from those that it replaces; None where there is none."""
        with self._reaching(self.uri(path)):
            try:
                info = self.fs.info(path, refresh=True)
            except FileNotFoundError:
                return None
        return None if info["type"] == "directory" else (int(info["size"]), _version(info))

    def open(self, path: str, *, in_parts: bool = False) -> BinaryIO:
        """The file, for reading; FileNotFoundError where there is none. One that is read `in_parts` gives what is asked for only."""
        if self.is_local:
            return open(path, "rb")
        with self._reaching(self.uri(path)):
            return self.fs.open(path, "rb", **({"cache_type": "none"} if in_parts else {}))  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def unchanged(self, path: str, before: Stamp | None = None) -> Iterator[None]:
        """Raise ReplacedError where the file is another as the block ends than it was `before`; a local one that is open stays."""
        if self.is_local:
            yield
            return
        from io_managers.cloud import ReplacedError

        before = before or self.stamp(path)
        try:
            yield
        except Exception:
            if before is not None and self.stamp(path) != before:
                raise ReplacedError.of(self.uri(path)) from None
            raise
        if self.stamp(path) != before:
            raise ReplacedError.of(self.uri(path))

    def content(self, path: str) -> bytes:
        """All of a small file, as it is at one time; FileNotFoundError where there is none."""
        if self.is_local:
            with open(path, "rb") as file:
                return file.read()
        with self._reaching(self.uri(path)):
            content: bytes = self.fs.cat_file(path)
        return content

    def remove(self, path: str) -> bool:
        """Remove the file; whether there was one."""
        try:
            if self.is_local:
                os.remove(path)
            else:
                with self._reaching(self.uri(path)):
                    self.fs.rm_file(path)
        except FileNotFoundError:
            return False
        return True

    def found(self, folder: str, suffix: str) -> dict[str, Stamp]:
        """The files in a folder, and in the folders in it, whose names end with `suffix`, sorted by their paths."""
        if self.is_local:
            return dict(sorted(_found_locally(folder, suffix)))
        self.fs.invalidate_cache()  # others may have written, and what a listing keeps is asked for by open() too
        with self._reaching(self.uri(folder)):
            infos = self.fs.find(folder, detail=True)
        self.fs.invalidate_cache()
        root = "/" if folder.startswith("/") else ""
        named = ((root + path.lstrip("/"), info) for path, info in infos.items() if path.endswith(suffix))
        return dict(sorted((path, (int(info["size"]), _version(info))) for path, info in named))

    def remove_folder(self, folder: str) -> bool:
        """Remove a folder and all that is in it; whether there was one. A local one is gone at once."""
        if not self.is_local:
            if not self.found(folder, ""):
                return False
            with self._reaching(self.uri(folder)):
                self.fs.rm(folder, recursive=True)
            self.fs.invalidate_cache()
            return True
        if not os.path.isdir(folder):
            return False
        gone = _staged_name(folder)
        try:
            os.rename(folder, gone)
        except FileNotFoundError:
            return False
        shutil.rmtree(gone, ignore_errors=True)
        return True

    @contextlib.contextmanager
    def replacing(
        self, path: str, *, durable: bool = False, beside: str | None = None, confirm: Callable[[], None] | None = None
    ) -> Generator[str | BinaryIO]:
        """Where to write the new content: the path of a local file, or an open one.

        It takes the place of the file when the block ends; after an exception the old file is as it was. A `durable` file is on
        the disk before that, should the machine fail; it costs milliseconds. The path is in the folder of `beside`, if given.
        `confirm` is called right before a file elsewhere is replaced, and may raise.
        """
        if self.is_local:
            with _staged_locally(path, durable, beside or path) as staged:
                yield staged
            return
        from io_managers.uploads import upload

        with upload(self.fs, path, self.uri(path), confirm) as handle:
            yield handle

    @contextlib.contextmanager
    def staging(
        self, path: str, *, durable: bool = False, beside: str | None = None, confirm: Callable[[], None] | None = None
    ) -> Generator[str]:
        """Like `replacing`, always with the path of a local file, which can be read as soon as it is written.

        For a store elsewhere it is a temporary file, which is uploaded as the block ends.
        """
        if self.is_local:
            with self.replacing(path, durable=durable, beside=beside) as staged:
                assert isinstance(staged, str)
                yield staged
            return
        with self.scratch(path) as staged:
            yield staged
            self._upload(staged, path, confirm)

    @contextlib.contextmanager
    def staging_many(
        self, paths: Collection[str], *, beside: str, confirm: Callable[[], None] | None = None
    ) -> Generator[dict[str, str]]:
        """Local files that take the place of several as the block ends; after an exception all are as they were.

        Those of a local store are on the disk before the first of them does, so that little time is between it and the last; others
        are uploaded some at a time.
        """
        with contextlib.ExitStack() as stack:
            if self.is_local:
                staged = {path: stack.enter_context(self.scratch(beside)) for path in paths}
                yield staged
                for new in staged.values():
                    _flush(new)
                for path, new in staged.items():
                    os.makedirs(path.rpartition("/")[0], exist_ok=True)
                    os.replace(new, path)
                return
            folder = stack.enter_context(self.scratch(beside))
            os.mkdir(folder)
            staged = {path: f"{folder}/{number}" for number, path in enumerate(paths)}
            yield staged
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(UPLOADS) as threads:
                list(threads.map(self._upload, staged.values(), staged, itertools.repeat(confirm)))

    def _upload(self, source: str, path: str, confirm: Callable[[], None] | None) -> None:
        with open(source, "rb") as file, self.replacing(path, confirm=confirm) as target:
            assert not isinstance(target, str)
            shutil.copyfileobj(file, target, COPIED_BYTES)

    @contextlib.contextmanager
    def scratch(self, path: str) -> Generator[str]:
        """Where to write a local file that is removed as the block ends; of a local store it is in the folder of `path`."""
        if not self.is_local:
            from tempfile import TemporaryDirectory

            with TemporaryDirectory(prefix="warehouse-assets-") as folder:
                yield f"{folder}/staged"
            return
        staged = _staged_name(path)
        _prepare(staged.rpartition("/")[0])
        try:
            yield staged
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(staged)


@contextlib.contextmanager
def _staged_locally(path: str, durable: bool, beside: str) -> Iterator[str]:
    staged = _staged_name(beside)
    _prepare(staged.rpartition("/")[0])
    try:
        yield staged
        if durable:
            _flush(staged)
        if beside != path:
            os.makedirs(path.rpartition("/")[0], exist_ok=True)
        os.replace(staged, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(staged)
        raise


def _staged_name(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{_host()}.{os.getpid()}.{next(_numbers)}.staged"


def _prepare(folder: str) -> None:
    if folder not in _swept:
        os.makedirs(folder, exist_ok=True)
        _sweep(folder)
        _swept.add(folder)


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
                    shutil.rmtree(entry.path) if entry.is_dir() else os.remove(entry.path)


def _found_locally(folder: str, suffix: str) -> Iterator[tuple[str, Stamp]]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_dir():
                yield from _found_locally(path, suffix)
            elif entry.name.endswith(suffix) and entry.name[0] != ".":
                with contextlib.suppress(FileNotFoundError):
                    stat = entry.stat()
                    yield path, (stat.st_size, f"{stat.st_ino} {stat.st_mtime_ns}")


def _version(info: Mapping[str, Any]) -> str:
    """What a file system says of a file that is another after each write: names differ from one to the next."""
    return " ".join(f"{info[name]}" for name in sorted(info) if name.lower() in _VERSIONS)


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
