from __future__ import annotations

from pathlib import Path

import pytest

from io_managers.fsspec import FsspecIOManager
from warehouse_assets.testing.io_manager import AtomicContract, FrameContract, SelectionContract, SQLContract, ValueContract


class TestFsspecIOManager(FrameContract, ValueContract, SQLContract, AtomicContract, SelectionContract):
    STORE = "pickle"

    @pytest.fixture
    def manager(self, tmp_path):
        return FsspecIOManager(base_path=str(tmp_path / "values"))

    def debris(self, manager):
        files = {str(path.relative_to(manager.base_path)) for path in Path(manager.base_path).rglob("*") if path.is_file()}
        return files - {"shop/orders.pickle"}
