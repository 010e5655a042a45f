from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from warehouse_assets.instance import MemoryEventLog
from warehouse_assets.testing.event_log import EventLogContract, OpenLog


class TestMemoryEventLog(EventLogContract):
    @pytest.fixture
    def open_log(self) -> OpenLog:
        return MemoryEventLog

    @pytest.fixture(autouse=True)
    def impatient_threads(self) -> Iterator[None]:
        """Threads take turns after almost every instruction, so that one missing lock shows."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-9)
        yield
        sys.setswitchinterval(before)
