"""`IOManager`: stores what assets return, and loads it for the assets downstream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, overload

from warehouse_assets.resources import ResourceDefinition

if TYPE_CHECKING:
    from warehouse_assets.io_manager.contexts import InputContext, OutputContext

__all__ = ["IOManager", "IOManagerDefinition", "io_manager"]


class IOManager(ABC):
    """Stores the values of assets and loads them again.

    One object serves a whole run and is called from several threads at once. Nothing is read or opened before the first call.
    """

    @abstractmethod
    def handle_output(self, context: OutputContext, obj: Any) -> Iterable[Mapping[str, Any]] | None:
        """Store `obj`, the value of the asset `context.asset_key`.

        Metadata is recorded by `context.add_output_metadata`, or by yielding mappings of it.
        """

    @abstractmethod
    def load_input(self, context: InputContext) -> Any:
        """The stored value of the asset `context.asset_key`, as `context.type_hint` asks for it."""


class IOManagerDefinition(ResourceDefinition):
    """An I/O manager made by a function of the context."""


@overload
def io_manager(fn: Callable[..., Any], /) -> IOManagerDefinition: ...
@overload
def io_manager(
    *, config_schema: Any = None, required_resource_keys: set[str] | None = None, description: str | None = None
) -> Callable[[Callable[..., Any]], IOManagerDefinition]: ...


def io_manager(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    config_schema: Any = None,
    required_resource_keys: set[str] | None = None,
    description: str | None = None,
) -> Any:
    """Make an I/O manager from a function that takes the context, or nothing, and returns an IOManager or yields it once."""

    def decorate(fn: Callable[..., Any]) -> IOManagerDefinition:
        return IOManagerDefinition(fn, config_schema, frozenset(required_resource_keys or ()), description or fn.__doc__)

    return decorate if fn is None else decorate(fn)
