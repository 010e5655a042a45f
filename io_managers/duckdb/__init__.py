"""Tables in DuckDB database files."""

from io_managers.duckdb.manager import DuckDBIOManager

__all__ = ["DuckDBIOManager"]
