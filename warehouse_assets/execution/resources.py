"""Setting resources up before a run, or on first use, and tearing them down after it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from warehouse_assets.errors import ResourceError, WarehouseAssetsError, close_matches
from warehouse_assets.events import error_line
from warehouse_assets.io_manager.contexts import logger
from warehouse_assets.io_manager.powers import KeepsOpen
from warehouse_assets.io_manager.registry import default_io_manager
from warehouse_assets.resources import InitResourceContext, Resource

__all__ = ["DefaultIOManager", "LazyResources", "ResourcePool", "Resources"]


class Resources:
    """The resources of a run, as attributes. A missing one is an AttributeError that names those there are."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = sorted(self.__dict__)
        hint = close_matches(name, known) or f"There are {', '.join(map(repr, known)) or 'none'}."
        raise AttributeError(f"there is no resource {name!r} here; list it in required_resource_keys. {hint}")

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def _asdict(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        return f"Resources({', '.join(sorted(self.__dict__))})"


class ResourcePool:
    """Resources that start when they are first asked for, each once, and are torn down together, last first."""

    def __init__(
        self,
        definitions: Mapping[str, Any],
        *,
        log: logging.Logger = logger,
        run_id: str | None = None,
        instance: Any = None,
    ) -> None:
        self._definitions = definitions
        self._log = log
        self._run_id = run_id
        self._instance = instance
        self._values: dict[str, Any] = {}
        self._starting: list[str] = []
        self._lock = threading.RLock()
        self._open: list[tuple[str, AbstractContextManager[Any]]] = []
        self._keeps_open = False
        self._keepers: list[KeepsOpen] = []

    @property
    def names(self) -> Iterable[str]:
        """The names of all resources, started or not."""
        return self._definitions.keys()

    def start(self, names: Iterable[str]) -> None:
        """Start these resources now, all but the default I/O manager, which may not be needed in the end."""
        for name in names:
            if not isinstance(self._definitions.get(name), DefaultIOManager):
                self.get(name)

    def get(self, name: str) -> Any:
        """The resource of this name, started if it was not.

        Raises ResourceError where there is none, where it needs itself, or where its set-up fails.
        """
        if name in self._values:
            return self._values[name]
        with self._lock:
            if name not in self._values:
                if name in self._starting:
                    raise ResourceError(f"resources need each other in a circle: {' → '.join([*self._starting, name])}")
                if name not in self._definitions:
                    hint = close_matches(name, list(self._definitions))
                    raise ResourceError(f"the resource {name!r} is not given", hint=hint)
                self._starting.append(name)
                try:
                    self._values[name] = self._start(name, self._definitions[name])
                finally:
                    self._starting.pop()
        return self._values[name]

    def started(self, name: str) -> Any:
        """The resource of this name, where it is started; else None."""
        return self._values.get(name)

    def view(self, names: Iterable[str]) -> Resources:
        """The started resources of these names, as attributes."""
        return Resources({name: self.get(name) for name in names})

    def _start(self, name: str, definition: Any) -> Any:
        if not isinstance(definition, Resource):
            return definition
        try:
            definition = definition.resolve()
            needed = getattr(definition, "required_resource_keys", ())
            context = InitResourceContext(self._log, None, self.view(needed), self._run_id, self._instance, resource_name=name)
            entered = definition.yield_for_execution(context)
            value = entered.__enter__()
            self._open.append((name, entered))
            if isinstance(value, KeepsOpen):
                self._keepers.append(value)
                value.keep_open(self._keeps_open)
            return value
        except WarehouseAssetsError as error:
            error.add_note(f"while starting the resource {name!r}")
            raise
        except Exception as error:
            raise ResourceError(f"the resource {name!r} could not start: {error_line(error)}") from error

    def keep_open(self, keep: bool) -> None:
        """Have resources that can do so keep what they opened for the next step, or let it go at once."""
        if keep != self._keeps_open:
            with self._lock:
                self._keeps_open = keep
                for keeper in self._keepers:
                    keeper.keep_open(keep)

    def close(self) -> None:
        """Tear down what was started, last first; an error in one does not spare the others, and the first is raised."""
        self.keep_open(False)
        errors: list[BaseException] = []
        while self._open:
            name, entered = self._open.pop()
            try:
                entered.__exit__(None, None, None)
            except BaseException as error:  # noqa: BLE001 - the others have to be torn down too
                error.add_note(f"while tearing down the resource {name!r}")
                errors.append(error)
        for other in errors[1:]:
            errors[0].add_note(f"another failed too: {error_line(other)}")
        if errors:
            raise errors[0]


class LazyResources(Resources):
    """The resources of a pool, as attributes, each started when it is first asked for."""

    __slots__ = ("_pool",)

    def __init__(self, pool: ResourcePool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        names = list(self._pool.names)
        if name in names:
            return self.__dict__.setdefault(name, self._pool.get(name))
        if name.startswith("__"):
            raise AttributeError(name)
        hint = close_matches(name, names) or f"There are {', '.join(map(repr, sorted(names))) or 'none'}."
        raise AttributeError(f"there is no resource {name!r} here. {hint}")

    def _start(self) -> None:
        self._pool.start(self._pool.names)

    def _close(self) -> None:
        self._pool.close()

    def _asdict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self}

    def __iter__(self) -> Iterator[str]:
        return iter(self._pool.names)

    def __repr__(self) -> str:
        return f"Resources({', '.join(sorted(self))})"


class DefaultIOManager(Resource):
    """The manager used where no other is given: made when it is first asked for, in the folder of the instance that `record` gives."""

    def __init__(self, record: Callable[[], Any]) -> None:
        self._record = record

    def create_resource(self, context: InitResourceContext) -> Any:
        return default_io_manager(str(self._record().storage_path))
