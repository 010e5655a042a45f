"""The promises of I/O managers, in groups; a manager inherits those it keeps."""

from __future__ import annotations

from warehouse_assets.testing.io_manager.concurrency import ConcurrencyContract
from warehouse_assets.testing.io_manager.frames import FrameContract, ValueContract
from warehouse_assets.testing.io_manager.partitions import (
    BY_DAY,
    AtomicPartitionContract,
    PartitionContract,
    PartitionSQLContract,
    days,
)
from warehouse_assets.testing.io_manager.schema_policies import SchemaPolicyContract
from warehouse_assets.testing.io_manager.sql import SQLContract
from warehouse_assets.testing.io_manager.staging import AtomicStagingContract, StagingContract
from warehouse_assets.testing.io_manager.tables import AtomicContract, TableContract
from warehouse_assets.testing.io_manager.use import FORMS, KEY, ORDERS, Partitions, load, output_context, source, store, stream

__all__ = [
    "BY_DAY",
    "FORMS",
    "KEY",
    "ORDERS",
    "AtomicContract",
    "AtomicPartitionContract",
    "AtomicStagingContract",
    "ConcurrencyContract",
    "FrameContract",
    "PartitionContract",
    "PartitionSQLContract",
    "Partitions",
    "SQLContract",
    "SchemaPolicyContract",
    "StagingContract",
    "TableContract",
    "ValueContract",
    "days",
    "load",
    "output_context",
    "source",
    "store",
    "stream",
]
