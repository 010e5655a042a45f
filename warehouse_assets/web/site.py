"""`Site`: what a server of the web UI works on: code locations that load in the background, the record, and its settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, cast

from warehouse_assets.code_location.snapshot import LocationFacts, NamedFacts
from warehouse_assets.code_location.workspace import JoinedAsset, Workspace, joined_assets
from warehouse_assets.errors import InvalidInvocationError, LocationError
from warehouse_assets.web.settings import Settings

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance
    from warehouse_assets.keys import AssetKey

__all__ = ["Facts", "Site"]

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Facts:
    """What all code locations declare, as far as they are loaded; replaced as a whole when one is loaded anew."""

    version: int = 0
    loading: frozenset[str] = frozenset()
    locations: Mapping[str, LocationFacts] = field(default_factory=lambda: MappingProxyType({}))
    errors: Mapping[str, LocationError] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def assets(self) -> Mapping[AssetKey, JoinedAsset]:
        """All assets and sources by key, in an order in which, within a location, each stands after what it is made from."""
        return joined_assets(self.locations)

    @cached_property
    def jobs(self) -> Mapping[tuple[str, str], NamedFacts]:
        """The jobs by the names of location and job."""
        return {(name, one.name): one for name, facts in self.locations.items() for one in facts.jobs}

    @cached_property
    def schedules(self) -> Mapping[tuple[str, str], NamedFacts]:
        """The schedules by the names of location and schedule."""
        return {(name, one.name): one for name, facts in self.locations.items() for one in facts.schedules}

    @cached_property
    def sensors(self) -> Mapping[tuple[str, str], NamedFacts]:
        """The sensors by the names of location and sensor."""
        return {(name, one.name): one for name, facts in self.locations.items() for one in facts.sensors}

    @property
    def is_loading(self) -> bool:
        """Whether there is more to come."""
        return bool(self.loading)


class Site:
    """Code locations and a record, for a server. Close it to end the processes of the locations; the record is left open."""

    def __init__(self, workspace: Workspace, instance: Instance, settings: Settings | None = None) -> None:
        self.workspace = workspace
        self.instance = instance
        self.settings = settings or Settings()
        self.facts = Facts(loading=frozenset(workspace.locations))
        self.on_submit: Callable[[], object] = lambda: None
        self.on_reload: Callable[[], object] = lambda: None
        self._lock = threading.Condition()
        self._is_started = False
        self._turns = dict.fromkeys(workspace.locations, 0)
        self._kept: dict[object, object] = {}

    def start(self) -> None:
        """Begin to load all locations, unless that was begun."""
        if self._is_started:
            return
        self._is_started = True
        for name in self.workspace.locations:
            self._load(name)

    def reload(self, name: str | None = None) -> None:
        """Load one location anew, or all; what was known of them stays until it is known."""
        for one in self.workspace.locations if name is None else [self.workspace[name].location.name]:
            self.workspace[one].reload()
            self._load(one)
        self.on_reload()

    def renew(self) -> None:
        """Have all that was read of the record read again, by the pages that are open, too: something was taken out of it."""
        with self._lock:
            changed = replace(self.facts, version=self.facts.version + 1)
            changed.assets  # noqa: B018 - joined before somebody waits for it
            self.facts = changed

    def wait(self, seconds: float = 60.0) -> Facts:
        """What is declared, once nothing loads any more; TimeoutError where that takes longer."""
        with self._lock:
            if not self._lock.wait_for(lambda: not self.facts.is_loading, seconds):
                raise TimeoutError(f"{', '.join(sorted(self.facts.loading))} did not load in {seconds:g} s")
        return self.facts

    def kept(self, kind: Callable[[Site], Kept]) -> Kept:
        """The only `kind(site)` of this site: what views remember between requests, and could work out again."""
        with self._lock:
            if kind not in self._kept:
                self._kept[kind] = kind(self)
            return cast("Kept", self._kept[kind])

    def check_writable(self) -> None:
        """Raise InvalidInvocationError where this server changes nothing."""
        if self.settings.read_only:
            raise InvalidInvocationError("this server only shows", hint="Start it without --read-only to change anything.")

    def close(self) -> None:
        """End the processes of the locations, and what views keep beside them."""
        self.workspace.close()
        for kept in self._kept.values():
            if callable(close := getattr(kept, "close", None)):
                close()

    def __iter__(self) -> Iterator[str]:
        return iter(self.workspace.locations)

    def _load(self, name: str) -> None:
        with self._lock:
            self._turns[name] += 1
            turn = self._turns[name]
            self.facts = replace(self.facts, loading=self.facts.loading | {name}, version=self.facts.version + 1)
        threading.Thread(target=self._loaded, args=[name, turn], daemon=True, name=f"loading {name}").start()

    def _loaded(self, name: str, turn: int) -> None:
        found: LocationFacts | None = None
        with suppress(LocationError):
            found = self.workspace[name].snapshot()
        with self._lock:
            if self._turns[name] != turn:  # it is loaded once more meanwhile
                return
            facts, error = self.facts, self.workspace[name].error
            known = {other: facts.locations[other] for other in self if other in facts.locations and other != name}
            known |= {} if found is None else {name: found}
            errors = {other: fault for other, fault in facts.errors.items() if other != name}
            errors |= {name: error} if found is None and error is not None else {}
            ordered = {other: known[other] for other in self if other in known}
            changed = Facts(facts.version + 1, facts.loading - {name}, ordered, errors)
            changed.assets  # noqa: B018 - joined before somebody waits for it
            self.facts = changed
            self._lock.notify_all()
