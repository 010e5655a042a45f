"""The seam between assets and the places where they live: `IOManager`, what it is told, and the powers it may add."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from warehouse_assets.io_manager.base import IOManager, IOManagerDefinition, io_manager
from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource
from warehouse_assets.io_manager.powers import (
    ChecksAssets,
    DropsTables,
    KeepsVersions,
    PlacesTables,
    QueriesSQL,
    Rehearsal,
    RehearsesWrites,
    RunsSQL,
    ScansInDuckDB,
    StagedTable,
    StagesTables,
    TellsColumns,
)
from warehouse_assets.io_manager.registry import default_io_manager, io_manager_from_uri

if TYPE_CHECKING:
    from warehouse_assets.io_manager.configurable import ConfigurableIOManager

__all__ = [
    "ChecksAssets",
    "ConfigurableIOManager",
    "DropsTables",
    "IOManager",
    "IOManagerDefinition",
    "InputContext",
    "KeepsVersions",
    "OutputContext",
    "PlacesTables",
    "QueriesSQL",
    "Rehearsal",
    "RehearsesWrites",
    "RunsSQL",
    "ScansInDuckDB",
    "StagedTable",
    "StagesTables",
    "TableSource",
    "TellsColumns",
    "default_io_manager",
    "io_manager",
    "io_manager_from_uri",
]


class _CallablePackage(ModuleType):
    """This package as the decorator of the same name, which `from warehouse_assets import io_manager` may mean."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return io_manager(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage


def __getattr__(name: str) -> Any:
    if name == "ConfigurableIOManager":  # the only one that needs pydantic
        from warehouse_assets.io_manager.configurable import ConfigurableIOManager

        return ConfigurableIOManager
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
