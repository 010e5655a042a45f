"""Tables as Apache Iceberg keeps them."""

from io_managers.iceberg.manager import IcebergIOManager

__all__ = ["IcebergIOManager"]
