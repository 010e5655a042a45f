"""`Workspace`: code locations in processes of their own, so that one that is broken, or hangs, shows its error and the others live."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from warehouse_assets.code_location.server import read_message, write_message
from warehouse_assets.code_location.snapshot import PROTOCOL, Answer, AssetFacts, LocationFacts, Request
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError, LocationError, close_matches
from warehouse_assets.events import CodeLocation
from warehouse_assets.keys import AssetKey

__all__ = ["JoinedAsset", "LocationProcess", "Workspace"]

_SERVER = "warehouse_assets.code_location.server"


class LocationProcess:
    """One code location: its process starts when it is first asked, and again when it has died.

    Loading and each question have `seconds`. `error` is why it last could not answer.
    """

    def __init__(self, location: CodeLocation, *, seconds: float = 120.0) -> None:
        self.location = location
        self.error: LocationError | None = None
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._facts: LocationFacts | None = None
        self._broken = False
        self._lock = threading.RLock()

    def snapshot(self) -> LocationFacts:
        """What it declares; LocationError where it cannot be loaded, which is not tried again before `reload`."""
        with self._lock:
            if self._facts is None:
                self._facts = msgspec.msgpack.decode(self.call("snapshot"), type=LocationFacts)
            return self._facts

    def partition_keys(self, key: AssetKey) -> Sequence[str]:
        """The partitions of an asset; none where it is not partitioned."""
        return msgspec.msgpack.decode(self.call("partition_keys", key.path), type=list[str])

    def call(self, name: str, payload: Any = None, *, seconds: float | None = None) -> bytes:
        """The answer to a question, as msgpack. LocationError for one that raises, does not come in time, or ends the process."""
        with self._lock:
            if self._broken and self.error is not None:
                raise self.error
            if self._process is None:
                self._start()
            return self._ask(Request(name, msgspec.msgpack.encode(payload)), seconds or self._seconds)

    def reload(self) -> None:
        """Load the code anew when it is next asked for something."""
        with self._lock:
            self._end()
            self._facts, self.error, self._broken = None, None, False

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        command = [self.location.python or sys.executable, "-m", _SERVER, self.location.module]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self.location.working_directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
            )
            self._ask(None, self._seconds)
        except OSError as error:
            self._broken, self.error = True, LocationError(f"{command[0]} cannot be started: {error.strerror}")
            raise self.error from None
        except LocationError:
            self._broken = True
            self._end()
            raise

    def _environment(self) -> dict[str, str]:
        """Another Python finds its own packages; this one those that are found here."""
        given = dict(os.environ)
        if self.location.python is not None:
            given.pop("PYTHONPATH", None)
        return given

    def _ask(self, request: Request | None, seconds: float) -> bytes:
        """Send a question, or none where the process speaks first, and wait for the answer; a process that is too slow is killed."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        slow = threading.Event()

        def stop() -> None:
            slow.set()
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        message = None
        try:
            with suppress(OSError):
                if request is not None:
                    write_message(process.stdin, msgspec.msgpack.encode(request))
                message = read_message(process.stdout)
        finally:
            timer.cancel()
        if message is None:
            self._end()
            how = f"did not answer in {seconds:g} s" if slow.is_set() else f"ended {_how(process.returncode)}"
            self.error = LocationError(f"the process of location {self.location.name!r} {how}")
            raise self.error
        return self._read(message)

    def _read(self, message: bytes) -> bytes:
        try:
            answer = msgspec.msgpack.decode(message, type=Answer)
        except msgspec.DecodeError:
            answer = Answer(protocol=-1)
        if answer.protocol != PROTOCOL:
            hint = "Install the version of warehouse-assets there that is installed here."
            self.error = LocationError(f"location {self.location.name!r} speaks another version of the protocol", hint=hint)
            raise self.error
        if answer.error is not None:
            self.error = LocationError(f"{self.location.name}: {answer.error}", traceback=answer.traceback)
            raise self.error
        return answer.payload

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            process.wait()


def _how(code: int | None) -> str:
    return f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"


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

    InvalidDefinitionError where two have one name.
    """

    def __init__(self, locations: Iterable[CodeLocation], *, seconds: float = 120.0) -> None:
        found = [LocationProcess(location, seconds=seconds) for location in locations]
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
        known: dict[AssetKey, list[tuple[str, AssetFacts]]] = {}
        for name, facts in self.snapshots().items():
            for one in facts.assets:
                known.setdefault(one.asset_key, []).append((name, one))
        joined = {key: _joined(key, found) for key, found in known.items()}
        for key, asset in joined.items():
            for parent in asset.parents:
                if parent in joined:
                    joined[parent].children.append(key)
        return joined

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


def _joined(key: AssetKey, found: Sequence[tuple[str, AssetFacts]]) -> JoinedAsset:
    name, facts = next(((name, facts) for name, facts in found if facts.is_executable), found[0])
    parents = dict.fromkeys(AssetKey(path) for path in facts.parents)
    return JoinedAsset(key, name, facts, tuple(other for other, _ in found if other != name), tuple(parents))
