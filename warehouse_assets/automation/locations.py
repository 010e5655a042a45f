"""`Locations`: the code locations that a daemon works for, each in a process of its own, so that one that is broken or hangs harms none but itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.automation.backfill_body import BackfillBody
from warehouse_assets.automation.backfills import ACTIVE, ended_if_idle
from warehouse_assets.automation.rounds import DUTIES, EVALUATION_SECONDS, Round, do_round
from warehouse_assets.code_location.process import LocationProcess
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.errors import InvalidDefinitionError, LocationError
from warehouse_assets.events import CodeLocation, error_line

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["LocationRounds", "Locations", "location_of"]

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0  # seconds before something that keeps failing is tried again
_LOADING, _BACKFILLS = "loading", "backfills"


class Locations:
    """The duty that has each code location do its part. Nothing of their code is loaded here.

    `seconds` is what a round of one of them, or loading it, may take, and `evaluation_seconds` the evaluation of the conditions of a sensor. Backfills of
    other locations, which were asked for elsewhere, are done as well. InvalidDefinitionError where two have one name, since what is
    recorded of their schedules would be mixed up.
    """

    def __init__(
        self,
        instance: Instance,
        locations: Iterable[CodeLocation],
        *,
        seconds: float = 120.0,
        evaluation_seconds: float = EVALUATION_SECONDS,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        self.locations = tuple(locations)
        names = [location.name for location in self.locations]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidDefinitionError(
                f"several code locations are called {twice[0]!r}", hint="Give them names of their own."
            )
        self._instance = instance
        self._limits = seconds, evaluation_seconds
        self._say = say
        self._on_reload: list[Callable[[], object]] = []
        self._rounds = {location: self._new(location, DUTIES) for location in self.locations}

    def round(self, now: float) -> None:
        """Begin the rounds that are due; what is still under way is left to it."""
        backfilled = self._backfilled(now)
        for location in backfilled - self._rounds.keys():
            self._rounds[location] = self._new(location, [_BACKFILLS])
        for location, rounds in list(self._rounds.items()):
            if location in backfilled or location in self.locations:
                rounds.round(now, backfills=location in backfilled)
            else:
                self._rounds.pop(location).close()

    def on_reload(self, *calls: Callable[[], object]) -> None:
        """What to call when all are to be loaded anew."""
        self._on_reload += calls

    def reload(self) -> None:
        """Load all of them anew."""
        for rounds in list(self._rounds.values()):
            rounds.reload()
        for call in self._on_reload:
            call()

    def close(self) -> None:
        """End their processes."""
        for rounds in list(self._rounds.values()):
            rounds.close()

    def _new(self, location: CodeLocation, duties: Iterable[str]) -> LocationRounds:
        return LocationRounds(self._instance, location, duties, *self._limits, say=self._say)

    def _backfilled(self, now: float) -> set[CodeLocation]:
        """The locations that have backfills to go on with. Those that are canceled end here, without their code."""
        log, found = self._instance.event_log, set()
        for backfill in log.get_backfills(statuses=ACTIVE):
            if backfill.status == "CANCELING":
                if (ended := ended_if_idle(self._instance, backfill, now)) is not None:
                    log.put_backfill(ended)
                continue
            body = BackfillBody.of(backfill)
            if not body.here and body.location is not None:
                found.add(body.location)
        return found


class LocationRounds:
    """Has the process of one code location do the rounds of its duties, several at once. It is started again when it ends.

    What fails is told when it begins to, and tried again after pauses that grow.
    """

    def __init__(
        self,
        instance: Instance,
        location: CodeLocation,
        duties: Iterable[str] = DUTIES,
        seconds: float = 120.0,
        evaluation_seconds: float = EVALUATION_SECONDS,
        *,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        self._location = location
        self._process = LocationProcess(location, seconds=seconds, environment=instance.environment)
        self._evaluation_seconds = evaluation_seconds
        self._say = say
        self._parts = {name: _Part() for name in (_LOADING, *duties)}
        self._pool = ThreadPoolExecutor(len(self._parts), thread_name_prefix=f"location {location.name}")
        self._is_loaded = self._is_told = False
        self._reloads = 0

    def round(self, now: float, *, backfills: bool = True) -> None:
        """Begin what is due and not under way."""
        if not self._is_loaded:
            self._begin(_LOADING, now, self._load)
            return
        for name in self._parts:
            if name != _LOADING and (backfills or name != _BACKFILLS):
                self._begin(name, now, self._do)

    def reload(self) -> None:
        """Load the code anew, also where that failed."""
        self._is_loaded = self._is_told = False
        self._reloads += 1
        for part in self._parts.values():
            part.forgive()
        self._process.reload()

    def close(self) -> None:
        """End the process."""
        self._reloads += 1
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._process.close()

    def _begin(self, name: str, now: float, what: Callable[[str, float], None]) -> None:
        part = self._parts[name]
        if now >= part.next and (part.under_way is None or part.under_way.done()):
            part.under_way = self._pool.submit(self._attempt, part, name, now, what, self._reloads)

    def _attempt(self, part: _Part, name: str, now: float, what: Callable[[str, float], None], reloads: int) -> None:
        try:
            what(name, now)
        except Exception as error:  # noqa: BLE001 - the others go on
            if reloads != self._reloads:  # it was ended on purpose
                return
            if isinstance(error, LocationError):
                self._is_loaded = False  # its process has ended
            text = str(error) if isinstance(error, (LocationError, _Fault)) else error_line(error)
            if part.failed(text, now):
                self._is_told = False
                what_failed = "cannot be loaded" if name == _LOADING else name
                self._say(f"{self._location.name}: {what_failed}: {text.removeprefix(f'{self._location.name}: ')}")
        else:
            part.forgive()

    def _load(self, name: str, now: float) -> None:
        if self._process.error is not None:
            self._process.reload()
        facts = self._process.snapshot()
        if not self._is_told:
            assets = sum(asset.is_executable for asset in facts.assets)
            self._say(f"{self._location.name}: {assets} assets, {len(facts.schedules)} schedules, {len(facts.sensors)} sensors")
            self._is_told = True
        self._is_loaded = True

    def _do(self, name: str, now: float) -> None:
        answer = self._process.ask(do_round, Round.of(name, now, self._location, self._evaluation_seconds))
        for line in answer.said:
            self._say(line)
        if answer.fault is not None:
            raise _Fault(answer.fault)


@dataclass(slots=True)
class _Part:
    """One thing that is done round by round: whether it is, and when it is tried again where it failed."""

    under_way: Future[None] | None = None
    next: float = float("-inf")
    pause: float = 0.0
    told: str | None = None

    def failed(self, text: str, now: float) -> bool:
        """Wait for longer than before; whether this is a failure of another kind than the last."""
        self.pause = min(max(1.0, 2 * self.pause), LONGEST_PAUSE)
        self.next = now + self.pause
        is_new, self.told = text != self.told, text
        return is_new

    def forgive(self) -> None:
        """Forget that it failed."""
        self.next, self.pause, self.told = float("-inf"), 0.0, None


class _Fault(Exception):
    """What went wrong in a process that goes on."""
