"""The SQL page: stored tables to ask, and what they answer."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from warehouse_assets.errors import InvalidInvocationError, InvalidSelectionError, LocationError
from warehouse_assets.tables import quote_identifier
from warehouse_assets.web.answers.sql import Query, QueryAnswer, QueryFault, QueryFile, is_ready, query_file, query_rows
from warehouse_assets.web.views.asset_schema import schema_of
from warehouse_assets.web.views.catalog import natural

if TYPE_CHECKING:
    from warehouse_assets.code_location.process import LocationProcess
    from warehouse_assets.code_location.questions import Question
    from warehouse_assets.keys import AssetKey
    from warehouse_assets.tables import TableSchema
    from warehouse_assets.web.site import Site

__all__ = [
    "LIMIT",
    "SECONDS",
    "Consoles",
    "TableList",
    "answer",
    "answer_file",
    "check_on",
    "columns_of",
    "location_of",
    "name_in_sql",
    "said",
    "tables",
]

LIMIT = 200
SECONDS = 30.0  # that a query may take
AT_ONCE = 2
WAIT = 10.0  # seconds for one of them to end
IDLE = 300.0  # seconds that a process is kept for the next query
SHOWN = 100

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED = re.compile(
    "all|and|any|as|asc|both|case|cast|check|collate|column|constraint|create|cross|default|desc|distinct|do|else|end|except|false|for|foreign|from"
    "|full|grant|group|having|in|inner|intersect|into|is|join|lateral|leading|left|like|limit|natural|not|null|offset|on|only|or|order|outer|primary"
    "|references|right|select|some|table|then|to|trailing|true|union|unique|using|when|where|window|with"
)

Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class TableList:
    """The first tables of those that fit a search, and how many do."""

    names: Sequence[tuple[AssetKey, str]]
    total: int


class Consoles:
    """The processes that answer queries of a site: beside those of its code locations, which a query can neither slow down nor end."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._idle: dict[str, tuple[int, LocationProcess, threading.Timer]] = {}

    def ask(self, location: str, question: Question[Query, Answered], query: Query) -> Answered:
        """The answer; InvalidInvocationError where it takes too long or too much, or too many are asked for at once."""
        if not self._room.acquire(timeout=WAIT):
            raise InvalidInvocationError(
                f"{AT_ONCE} queries are answered already", hint="Try again when one of them has ended."
            )
        try:
            with self._process(location) as process:
                process.ask(is_ready, None)
                begun = time.monotonic()
                try:
                    return process.ask(question, query, seconds=SECONDS)
                except LocationError as error:
                    raise _ended(error, time.monotonic() - begun) from None
        finally:
            self._room.release()

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            waiting, self._idle = list(self._idle.values()), {}
        for _, process, timer in waiting:
            timer.cancel()
            process.close()

    @contextmanager
    def _process(self, location: str) -> Iterator[LocationProcess]:
        """A process with the present code, which is kept for the next query where it did well."""
        own, version = self._site.workspace[location], self._site.facts.version
        with self._lock:
            kept = self._idle.pop(location, None)
        process = None
        if kept is not None:
            kept[2].cancel()
            process = kept[1]
            if kept[0] != version:
                process.close()
                process = None
        process = process or own.another()
        try:
            yield process
        except BaseException:
            process.close()
            raise
        self._keep(location, version, process)

    def _keep(self, location: str, version: int, process: LocationProcess) -> None:
        timer = threading.Timer(IDLE, self._drop, [location, process])
        timer.daemon = True
        with self._lock:
            if location not in self._idle:
                self._idle[location] = (version, process, timer)
                timer.start()
                return
        process.close()

    def _drop(self, location: str, process: LocationProcess) -> None:
        with self._lock:
            if location not in self._idle or self._idle[location][1] is not process:
                return
            del self._idle[location]
        process.close()


def answer(site: Site, location: str, query: Query) -> QueryAnswer:
    """The rows that a query answers."""
    return site.kept(Consoles).ask(_checked(site, location), query_rows, query)


def answer_file(site: Site, location: str, query: Query) -> QueryFile:
    """The rows that a query answers, as a file."""
    return site.kept(Consoles).ask(_checked(site, location), query_file, query)


def location_of(site: Site, wanted: str = "") -> str:
    """The location that is asked: the wanted one, or the first that is loaded; "" where there is none."""
    found = list(site.facts.locations)
    return wanted if wanted in found else next(iter(found), "")


def tables(site: Site, location: str, search: str = "", limit: int = SHOWN) -> TableList:
    """The tables of a location whose names hold all words of a search."""
    words = search.casefold().split()
    found = []
    for key, asset in site.facts.assets.items():
        text = key.to_user_string().casefold()
        if location in (asset.location, *asset.sources) and all(word in text for word in words):
            found.append(key)
    found.sort(key=lambda key: [natural(segment) for segment in key.path])
    return TableList([(key, name_in_sql(*key.path)) for key in found[:limit]], len(found))


def columns_of(site: Site, key: AssetKey) -> TableSchema | None:
    """The columns of a table as they were last recorded."""
    event = site.instance.get_latest_materialization_event(key)
    return schema_of(event) if event is not None else None


def name_in_sql(*parts: str) -> str:
    """A name as one would type it, quoted where it must be.

    >>> name_in_sql("staging", "Odd one")
    'staging."Odd one"'
    """
    return ".".join(
        part if _PLAIN.fullmatch(part) and not _RESERVED.fullmatch(part) else quote_identifier(part) for part in parts
    )


def said(fault: QueryFault) -> str:
    """A fault as one line, with its place."""
    return f"line {fault.line}, column {fault.column}: {fault.message}" if fault.line is not None else fault.message


def check_on(site: Site) -> None:
    """Raise InvalidInvocationError where the SQL page is switched off."""
    if not site.settings.sql:
        raise InvalidInvocationError("SQL is switched off on this server", hint="Start it without --no-sql.")


def _checked(site: Site, location: str) -> str:
    check_on(site)
    if location and location not in site:
        raise InvalidSelectionError(f"there is no code location {location!r}", hint=f"There are {', '.join(site)}.")
    if not (found := location or location_of(site)):
        raise InvalidInvocationError("no code location is loaded yet", hint="Look at /locations.")
    return found


def _ended(error: LocationError, seconds: float) -> Exception:
    """Why there is no answer from a process that was ended, or ended itself."""
    if seconds >= SECONDS:
        return InvalidInvocationError(
            f"the query was ended after {SECONDS:g} s",
            hint="Read fewer rows or columns; or it waited for a store that a run writes to: try again then.",
        )
    if "ended" in str(error):
        return InvalidInvocationError(
            "the query needed more memory than it may have", hint="Read fewer rows, or aggregate them first."
        )
    return error
