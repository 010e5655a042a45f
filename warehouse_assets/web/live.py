"""What changes in the record, told to all open pages: server-sent events whose ids are those of the record."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.instance.event_log import EventFilter, run_changes

if TYPE_CHECKING:
    from warehouse_assets.events import Event
    from warehouse_assets.instance import Instance
    from warehouse_assets.web.site import Site

__all__ = ["Change", "Live", "log_position"]

PAUSE = 0.1  # seconds between two looks at the record
BATCH = 5_000
KEPT = 512
FARTHEST = 20_000  # events that somebody who was away is told of
MOST = 64  # that listen from one address
QUIET = 15.0  # seconds after which a word keeps the connection alive


@dataclass(frozen=True, slots=True)
class Change:
    """What happened up to an event: the assets and runs that it was about."""

    event_id: int
    facts: int
    assets: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    tick: int = 0

    def to_json(self) -> str:
        """As pages read it: assets by key with the type of their last event, runs by id with their status where it changed."""
        return json.dumps(
            {
                "id": self.event_id,
                "facts": self.facts,
                "assets": self.assets,
                "runs": self.runs,
                "steps": self.steps,
                "tick": self.tick,
            },
            ensure_ascii=False,
        )


class Live:
    """Looks at the record for as long as somebody listens, and tells everybody the same."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._recent: deque[tuple[int, Change]] = deque(maxlen=KEPT)
        self._number = 0
        self._news = asyncio.Event()
        self._listeners: Counter[str] = Counter()
        self._position: int | None = None
        self._began = 0  # the event after which all are known to those who listen
        self._wanted: int | None = None  # an earlier one, from which somebody has to be told
        self._facts = -1
        self._tick = 0
        self._task: asyncio.Task[None] | None = None

    def has_room(self, client: str) -> bool:
        """Whether one more may listen of this address; the tabs of a browser share what one of them hears."""
        return self._listeners[client] < MOST

    async def changes(self, after: int | None, client: str = "") -> AsyncGenerator[str, None]:
        """Server-sent events: what came after the event with this id, where that is still known, and then what comes."""
        self._listeners[client] += 1
        try:
            idle = self._task is None or self._task.done()
            if after is not None and (idle or self._position is None or after < self._began):
                self._wanted = after if self._wanted is None else min(after, self._wanted)
            if idle:
                self._task = asyncio.create_task(self._watch())
            seen = self._number if after is None else self._since(after)
            yield "retry: 1000\n\n"
            yield f"event: facts\ndata: {self._site.facts.version}\n\n"
            told = time.monotonic()
            while True:
                news = self._news
                for number, change in list(self._recent):
                    if number > seen:
                        seen, told = number, time.monotonic()
                        yield f"id: {change.event_id}\ndata: {change.to_json()}\n\n"
                try:
                    await asyncio.wait_for(news.wait(), QUIET)
                except TimeoutError:
                    if time.monotonic() - told >= QUIET:
                        told = time.monotonic()
                        yield ": nothing new\n\n"
        finally:
            self._listeners[client] -= 1
            self._listeners += Counter()  # without those that are none

    def _since(self, event_id: int) -> int:
        """The number of the last message that somebody has seen who saw this event."""
        return max((number for number, change in self._recent if change.event_id <= event_id), default=0)

    async def _watch(self) -> None:
        while self._listeners:
            try:
                change = await asyncio.to_thread(self._look)
            except Exception:  # noqa: BLE001 - the record may be out of reach for a while
                await asyncio.sleep(1.0)
                continue
            if change is not None:
                self._number += 1
                self._recent.append((self._number, change))
                news, self._news = self._news, asyncio.Event()
                news.set()
            await asyncio.sleep(PAUSE)
        self._position = None

    def _look(self) -> Change | None:
        """What is new in the record, or in what the code locations declare."""
        log = self._site.instance.event_log
        wanted, self._wanted = self._wanted, None
        if self._position is None:
            ticks = log.get_ticks(limit=1)
            self._tick, self._facts = (ticks[0].tick_id or 0) if ticks else 0, self._site.facts.version
            self._position = self._began = log_position(self._site.instance)
        if wanted is not None:
            self._position = self._began = max(min(wanted, self._position), self._position - FARTHEST)
        events = log.get_events(EventFilter(after=self._position), limit=BATCH)
        ticks = log.get_ticks(limit=1)
        tick = (ticks[0].tick_id or 0) if ticks else 0
        facts = self._site.facts.version
        if not events and tick == self._tick and facts == self._facts:
            return None
        self._position = max([self._position, *(event.storage_id or 0 for event in events)])
        self._tick, self._facts = tick, facts
        return Change(self._position, facts, tick=tick, **_told(events))


def log_position(instance: Instance) -> int:
    """The id of the last event of the record."""
    last = instance.event_log.get_events(limit=1, ascending=False)
    return (last[0].storage_id or 0) if last else 0


def _told(events: Iterable[Event]) -> dict[str, Any]:
    assets: dict[str, str] = {}
    runs: dict[str, str] = {}
    steps = 0
    for event in events:
        if event.asset_key is not None:
            assets[event.asset_key.to_user_string()] = event.event_type
        if event.event_type.startswith("STEP_"):
            steps += 1
        runs[event.run_id] = run_changes(event).get("status") or runs.get(event.run_id, "")
    return {"assets": assets, "runs": runs, "steps": steps}
