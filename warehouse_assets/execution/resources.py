"""Setting resources up before a run, or on first use, and tearing them down after it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from warehouse_assets.errors import InvalidConfigError, ResourceError, WarehouseAssetsError, close_matches
from warehouse_assets.io_manager.contexts import logger
from warehouse_assets.resources import InitResourceContext, Resource

__all__ = ["ResourcePool", "Resources"]


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
        config: Mapping[str, Any] | None = None,
        log: logging.Logger = logger,
        run_id: str | None = None,
        instance: Any = None,
    ) -> None:
        self._definitions = definitions
        self._config = config or {}
        self._log = log
        self._run_id = run_id
        self._instance = instance
        self._values: dict[str, Any] = {}
        self._starting: list[str] = []
        self._lock = threading.RLock()
        self._stack = ExitStack()

    @property
    def names(self) -> Iterable[str]:
        """The names of all resources, started or not."""
        return self._definitions.keys()

    def start(self, names: Iterable[str]) -> None:
        """Start these resources now."""
        for name in names:
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

    def view(self, names: Iterable[str]) -> Resources:
        """The started resources of these names, as attributes."""
        return Resources({name: self.get(name) for name in names})

    def _start(self, name: str, definition: Any) -> Any:
        config = self._config.get(name)
        if not isinstance(definition, Resource):
            if config is not None:
                raise InvalidConfigError(f"the resource {name!r} takes no configuration")
            return definition
        try:
            if config is not None:
                definition = _configured(name, definition, config)
            definition = definition.resolve()
            needed = getattr(definition, "required_resource_keys", ())
            context = InitResourceContext(
                self._log, config, self.view(needed), self._run_id, self._instance, resource_name=name
            )
            return self._stack.enter_context(definition.yield_for_execution(context))
        except WarehouseAssetsError as error:
            error.add_note(f"while starting the resource {name!r}")
            raise
        except Exception as error:
            raise ResourceError(f"the resource {name!r} could not start: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Tear down what was started, last first; an error in one does not spare the others."""
        self._stack.close()


def _configured(name: str, definition: Resource, config: Any) -> Resource:
    with_config = getattr(definition, "with_config", None)
    if with_config is not None:
        return with_config(config)  # type: ignore[no-any-return]
    configured = getattr(definition, "configured", None)
    if configured is not None:
        return configured(config)  # type: ignore[no-any-return]
    raise InvalidConfigError(f"the resource {name!r} takes no configuration")
