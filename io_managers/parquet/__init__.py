"""Tables as Parquet files."""

from io_managers.parquet.manager import ParquetIOManager

__all__ = ["ParquetIOManager"]
