"""An I/O manager of one's own, as someone would hand it to the benchmark."""

from __future__ import annotations

from io_managers import ParquetIOManager


def lake(folder: str) -> ParquetIOManager:
    return ParquetIOManager(base_path=folder)
