"""`Reading`: which files a process reads while it loads code, and whether they have changed since."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, Self

__all__ = ["Reading"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_DECLARING = (".py", ".sql", ".yaml", ".yml", ".toml", ".json")


class Reading:
    """Remembers what Python opens to read, which folders it lists, and the modules that it has when it ends.

    What is read by code that is not Python is not seen. Of the folders, other files than those that declare something do not count.
    """

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, int]] = {}
        self._folders: dict[str, frozenset[str]] = {}
        self._begun = time.time_ns()
        self._over = False
        self._installed = tuple({sys.prefix, sys.base_prefix})

    def __enter__(self) -> Self:
        sys.addaudithook(self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over = True

    def end(self) -> None:
        """Look no more at what is read."""
        self._over = True
        for module in list(sys.modules.values()):  # whose code may come from another file, which was made of theirs
            if isinstance(path := getattr(module, "__file__", None), str):
                self._remember(path)

    def is_outdated(self) -> bool:
        """Whether anything is another than when it was read, or became so while it was."""
        return any(
            signature[0] >= self._begun or _signature(path) != signature for path, signature in self._files.items()
        ) or any(_names(path) != names for path, names in self._folders.items())

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._over or event not in ("open", "os.listdir", "os.scandir"):
            return
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return
        if event == "open":
            if not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
                self._remember(os.fsdecode(path))
            return
        place = os.path.abspath(os.fsdecode(path))
        if not place.startswith(self._installed) and place not in self._folders:
            self._over = True  # or it would hear itself
            self._folders[place] = _names(place)
            self._over = False

    def _remember(self, path: str) -> None:
        place = os.path.abspath(path)
        if place in self._files or place.startswith(("/proc/", "/sys/", "/dev/")) or place.endswith(".pyc"):
            return
        if (signature := _signature(place)) is not None:
            self._files[place] = signature


def _signature(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size)


def _names(folder: str) -> frozenset[str]:
    try:
        return frozenset(name for name in os.listdir(folder) if name.endswith(_DECLARING))
    except OSError:
        return frozenset()
