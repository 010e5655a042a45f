"""Tables as Delta Lake keeps them."""

from io_managers.delta.manager import DeltaLakeIOManager

__all__ = ["DeltaLakeIOManager"]
