"""I/O managers by name: the default one, and those for a URI, found through entry points so that any package can add some."""

from __future__ import annotations

import functools
from typing import Any

from warehouse_assets.errors import InvalidConfigError, ResourceError, close_matches
from warehouse_assets.io_manager.base import IOManager

__all__ = ["default_io_manager", "io_manager_from_uri"]

ENTRY_POINTS = "warehouse_assets.io_managers"


@functools.cache
def registered() -> dict[str, Any]:
    """The entry points of all installed packages, by name."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def default_io_manager(base_path: str) -> IOManager:
    """The manager used where nothing else is given: a file for each asset under the folder `base_path`."""
    point = registered().get("default")
    if point is None:
        raise ResourceError(
            "no I/O manager is given, and no installed package registers a default one",
            hint=f"Install warehouse-assets with pip so that the entry point group {ENTRY_POINTS!r} is known.",
        )
    manager: IOManager = point.load()(base_path=base_path)
    return manager


def io_manager_from_uri(uri: str) -> IOManager:
    """The I/O manager for a place: `duckdb:///path/to/file.duckdb`, `s3://bucket/prefix`, `postgresql://user@host/database`.

    What comes before `://`, or before a `+` in it (`delta+s3://…`), is looked up among the entry points of
    `warehouse_assets.io_managers`; each names a class with a class method `from_uri`.
    """
    scheme, separator, _ = uri.partition("://")
    known = registered().keys() - {"default"}
    scheme = scheme if scheme in known else scheme.partition("+")[0]
    if not separator or scheme not in known:
        guess = close_matches(scheme, known) or f"Known are {', '.join(sorted(known))}."
        raise InvalidConfigError(f"no I/O manager is registered for {uri.partition('://')[0]!r}", hint=guess)
    manager: IOManager = registered()[scheme].load().from_uri(uri)
    return manager
