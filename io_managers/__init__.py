"""I/O managers: where tables live. Each is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from io_managers.delta import DeltaLakeIOManager
    from io_managers.duckdb import DuckDBIOManager
    from io_managers.fsspec import FsspecIOManager
    from io_managers.functions import sql_function
    from io_managers.iceberg import IcebergIOManager
    from io_managers.memory import InMemoryIOManager
    from io_managers.parquet import ParquetIOManager
    from io_managers.sqlalchemy import SQLAlchemyIOManager
    from io_managers.table import TableIOManager

__all__ = [
    "DeltaLakeIOManager",
    "DuckDBIOManager",
    "FsspecIOManager",
    "IcebergIOManager",
    "InMemoryIOManager",
    "ParquetIOManager",
    "SQLAlchemyIOManager",
    "TableIOManager",
    "sql_function",
]

_MODULES = {
    "DeltaLakeIOManager": "delta",
    "DuckDBIOManager": "duckdb",
    "FsspecIOManager": "fsspec",
    "IcebergIOManager": "iceberg",
    "InMemoryIOManager": "memory",
    "ParquetIOManager": "parquet",
    "SQLAlchemyIOManager": "sqlalchemy",
    "TableIOManager": "table",
    "sql_function": "functions",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
