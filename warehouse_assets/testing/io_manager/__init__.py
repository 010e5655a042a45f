"""The promises of I/O managers, in groups; a manager inherits those it keeps."""

from __future__ import annotations

from warehouse_assets.testing.io_manager.columns import ColumnsContract
from warehouse_assets.testing.io_manager.concurrency import ConcurrencyContract, SharedTableContract
from warehouse_assets.testing.io_manager.frames import FrameContract, ValueContract
from warehouse_assets.testing.io_manager.partition_values import PartitionValuesContract
from warehouse_assets.testing.io_manager.partitions import (
    BY_DAY,
    AtomicPartitionContract,
    PartitionContract,
    PartitionSQLContract,
    days,
)
from warehouse_assets.testing.io_manager.rehearsal import RehearsalContract
from warehouse_assets.testing.io_manager.schema_policies import SchemaPolicyContract
from warehouse_assets.testing.io_manager.selection import SelectionContract
from warehouse_assets.testing.io_manager.sql import SQLContract
from warehouse_assets.testing.io_manager.staging import AtomicStagingContract, StagingContract
from warehouse_assets.testing.io_manager.tables import AtomicContract, TableContract
from warehouse_assets.testing.io_manager.use import (
    FORMS,
    KEY,
    ORDERS,
    Partitions,
    load,
    options,
    output_context,
    source,
    store,
    stream,
)
from warehouse_assets.testing.io_manager.versions import VersionsContract
from warehouse_assets.testing.io_manager.views import ViewContract
from warehouse_assets.testing.io_manager.write_modes import AtomicWriteModeContract, WriteModeContract

__all__ = [
    "BY_DAY",
    "FORMS",
    "KEY",
    "ORDERS",
    "AtomicContract",
    "AtomicPartitionContract",
    "AtomicStagingContract",
    "AtomicWriteModeContract",
    "ColumnsContract",
    "ConcurrencyContract",
    "FrameContract",
    "PartitionContract",
    "PartitionSQLContract",
    "PartitionValuesContract",
    "Partitions",
    "RehearsalContract",
    "SQLContract",
    "SchemaPolicyContract",
    "SelectionContract",
    "SharedTableContract",
    "StagingContract",
    "TableContract",
    "ValueContract",
    "VersionsContract",
    "ViewContract",
    "WriteModeContract",
    "days",
    "load",
    "options",
    "output_context",
    "source",
    "store",
    "stream",
]
