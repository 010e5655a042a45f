from __future__ import annotations

import pytest

from io_managers.memory import InMemoryIOManager
from warehouse_assets.testing.io_manager import FrameContract, SelectionContract, SQLContract, ValueContract


class TestInMemoryIOManager(FrameContract, ValueContract, SQLContract, SelectionContract):
    STORE = "memory"

    @pytest.fixture
    def manager(self):
        return InMemoryIOManager()
