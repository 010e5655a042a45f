"""`Workspace`: code locations in processes of their own, so that one that is broken, or hangs, shows its error and the others live."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from warehouse_assets.code_location.process import LocationProcess
from warehouse_assets.code_location.snapshot import AssetFacts, LocationFacts
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError, LocationError, close_matches
from warehouse_assets.events import CodeLocation
from warehouse_assets.keys import AssetKey

__all__ = ["JoinedAsset", "LocationProcess", "Workspace", "joined_assets"]


@dataclass(frozen=True, slots=True)
class JoinedAsset:
    """One asset of a workspace, and its neighbours in all locations.

    `location` is where it is made; where nothing makes it, the first that knows it. `sources` are those that take it from there.
    """

    key: AssetKey
    location: str
    facts: AssetFacts
    sources: tuple[str, ...] = ()
    parents: tuple[AssetKey, ...] = ()
    children: list[AssetKey] = field(default_factory=list)


class Workspace:
    """Code locations, and the lineage that goes through all of them; `with` ends their processes.

    `environment` is added to that of their processes. InvalidDefinitionError where two have one name.
    """

    def __init__(
        self, locations: Iterable[CodeLocation], *, seconds: float = 120.0, environment: Mapping[str, str] | None = None
    ) -> None:
        found = [LocationProcess(location, seconds=seconds, environment=environment) for location in locations]
        self.locations = {process.location.name: process for process in found}
        if len(self.locations) < len(found):
            names = [process.location.name for process in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidDefinitionError(f"several code locations are called {twice!r}", hint="Give each a name of its own.")

    @classmethod
    def from_file(cls, file: str | os.PathLike[str]) -> Workspace:
        """The locations of a `workspace.toml`."""
        from warehouse_assets.code_location.workspace_file import read_workspace

        return cls(read_workspace(Path(file)))

    def __getitem__(self, name: str) -> LocationProcess:
        if name not in self.locations:
            hint = close_matches(name, set(self.locations)) or f"There are {', '.join(self.locations)}."
            raise InvalidSelectionError(f"there is no location {name!r}", hint=hint)
        return self.locations[name]

    def __iter__(self) -> Iterator[LocationProcess]:
        return iter(self.locations.values())

    def snapshots(self) -> dict[str, LocationFacts]:
        """What each location declares that can be loaded, all loaded at once; why another cannot is its `error`."""

        def facts(process: LocationProcess) -> LocationFacts | None:
            with suppress(LocationError):
                return process.snapshot()
            return None

        with ThreadPoolExecutor(max(len(self.locations), 1)) as threads:
            found = dict(zip(self.locations, threads.map(facts, self.locations.values()), strict=True))
        return {name: one for name, one in found.items() if one is not None}

    def errors(self) -> dict[str, LocationError]:
        """Why each location that cannot be used cannot."""
        return {name: process.error for name, process in self.locations.items() if process.error is not None}

    def assets(self) -> dict[AssetKey, JoinedAsset]:
        """The assets of all locations by their keys: a source in one that is an asset in another is one. Where two make it, the first does."""
        return joined_assets(self.snapshots())

    def faults(self) -> list[str]:
        """Keys that several locations make."""
        makers: dict[AssetKey, list[tuple[str, AssetFacts]]] = {}
        for name, facts in self.snapshots().items():
            for one in facts.assets:
                if one.is_executable:
                    makers.setdefault(one.asset_key, []).append((name, one))
        return [
            f"asset {key.to_user_string()!r} is made in several locations: "
            + " and ".join(f"{name} ({one.place})" for name, one in found)
            for key, found in makers.items()
            if len(found) > 1
        ]

    def reload(self, name: str | None = None) -> None:
        """Load one location anew, or all."""
        for process in self.locations.values() if name is None else [self[name]]:
            process.reload()

    def close(self) -> None:
        """End all processes."""
        for process in self.locations.values():
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def joined_assets(snapshots: Mapping[str, LocationFacts]) -> dict[AssetKey, JoinedAsset]:
    """The assets of these locations, joined by their keys."""
    known: dict[AssetKey, list[tuple[str, AssetFacts]]] = {}
    for name, facts in snapshots.items():
        for one in facts.assets:
            known.setdefault(one.asset_key, []).append((name, one))
    joined = {key: _joined(key, found) for key, found in known.items()}
    for key, asset in joined.items():
        for parent in asset.parents:
            if parent in joined:
                joined[parent].children.append(key)
    return joined


def _joined(key: AssetKey, found: Sequence[tuple[str, AssetFacts]]) -> JoinedAsset:
    name, facts = next(((name, facts) for name, facts in found if facts.is_executable), found[0])
    parents = dict.fromkeys(AssetKey(path) for path in facts.parents)
    return JoinedAsset(key, name, facts, tuple(other for other, _ in found if other != name), tuple(parents))
