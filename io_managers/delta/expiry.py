"""Versions of a Delta table that are not kept: which files only they have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from io_managers.delta.files import Folder

__all__ = ["remove_expired"]


def remove_expired(folder: Folder, before: int, oldest: int, newest: int) -> None:
    """Remove the files of versions from `before` on that none has from `oldest` to `newest`, as the log tells it.

    A file that cannot be removed is one that nobody reads, like those of a process that was killed.
    """
    gone: set[str] = set()
    for number in range(before + 1, newest + 1):
        try:
            actions = list(_actions(folder, number))
        except FileNotFoundError:  # of a log that was cut, and all before it
            gone.clear()
            continue
        if number <= oldest:
            gone.update(action["remove"]["path"] for action in actions if "remove" in action)
        gone.difference_update(action["add"]["path"] for action in actions if "add" in action)
    for path in map(unquote, gone):
        if "://" not in path and not path.startswith("/") and ".." not in path.split("/"):
            with suppress(OSError):
                folder.remove(path)


def _actions(folder: Folder, number: int) -> Iterator[dict[str, Any]]:
    """What the entry of the log says that made a version."""
    with folder.opened(f"_delta_log/{number:020}.json") as file:
        yield from map(json.loads, filter(None, file.read().splitlines()))
