"""Queries from pages, each in a process that is killed where it takes too long; and the tables that they can read."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.code_location.process import LocationProcess
from warehouse_assets.errors import InvalidInvocationError, LocationError
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.web.answers.sql import QueryAnswer, QueryAsked, query

if TYPE_CHECKING:
    from warehouse_assets.web.site import Site

__all__ = ["Queryable", "answered", "queryable"]

SECONDS = 30.0
TABLES = 400


@dataclass(frozen=True, slots=True)
class Queryable:
    """A table that can be read, and its columns with their types as far as they were recorded."""

    key: AssetKey
    name: str
    location: str
    columns: Sequence[tuple[str, str]]


class _Processes:
    """A process of each code location for queries alone, so that one that is killed takes nothing else with it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._found: dict[str, tuple[int, LocationProcess]] = {}

    def of(self, name: str) -> LocationProcess:
        """That of a location, with the code that is loaded now."""
        version = self._site.facts.version
        with self._lock:
            known = self._found.get(name)
            if known is None:
                process = self._site.workspace[name].beside()
            elif known[0] != version:
                process = known[1]
                process.reload()
            else:
                return known[1]
            self._found[name] = version, process
            return process

    def close(self) -> None:
        """End all of them."""
        for _, process in self._found.values():
            process.close()


def answered(site: Site, location: str, asked: QueryAsked) -> QueryAnswer:
    """The answer to a query; InvalidSQLError for what does more than read, LocationError for what takes too long."""
    if not site.settings.sql:
        raise InvalidInvocationError("this server answers no SQL", hint="Start it without --no-sql.")
    process = site.kept(_Processes).of(location)
    try:
        return process.ask(query, asked, seconds=SECONDS)
    except LocationError as error:
        if "did not answer" in str(error):
            raise InvalidInvocationError(
                f"the query took more than {SECONDS:g} s, and was stopped", hint="Ask for less."
            ) from None
        raise


def queryable(site: Site) -> Sequence[Queryable]:
    """The tables of all locations that were made, and sources, by name."""
    assets = site.facts.assets
    keys = sorted(assets, key=lambda key: key.path)[:TABLES]
    latest = site.instance.get_latest_materialization_events(keys)
    found = []
    for key in keys:
        event = latest.get(key)
        told = event.asset_materialization if event is not None else None
        if told is None and assets[key].facts.is_executable:
            continue
        columns = _columns(told.metadata) if told is not None else ()
        found.append(Queryable(key, ".".join(_quoted(part) for part in key.path), assets[key].location, columns))
    return found


def _columns(metadata: Mapping[str, MetadataValue]) -> Sequence[tuple[str, str]]:
    schema = getattr(metadata.get("column_schema"), "value", None)
    return tuple((column.name, column.type) for column in getattr(schema, "columns", ()))


def _quoted(part: str) -> str:
    return part if part.isidentifier() and part.islower() else '"' + part.replace('"', '""') + '"'
