"""The tables of a database that is asked for their rows, and for nothing that somebody else wrote."""

from __future__ import annotations

from typing import Any

from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext

__all__ = ["OnlyLoads"]


class OnlyLoads(IOManager):
    """Loads what another manager stores; SQL over it is answered elsewhere."""

    def __init__(self, manager: IOManager) -> None:
        self._manager = manager

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        raise TableError(f"{type(self._manager).__name__} was opened to be read")

    def load_input(self, context: InputContext) -> Any:
        return self._manager.load_input(context)
