"""`ConfigurableIOManager`: an I/O manager whose fields people configure. Imported on first use, for pydantic's sake."""

from __future__ import annotations

from warehouse_assets.config import ConfigurableResource
from warehouse_assets.io_manager.base import IOManager

__all__ = ["ConfigurableIOManager"]


class ConfigurableIOManager(ConfigurableResource, IOManager):
    """An I/O manager that is a configurable resource: subclass it, declare fields, and write the two methods."""
