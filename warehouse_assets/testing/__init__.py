"""Contract suites: what every I/O manager and every event log promises, as tests to inherit.

Inherit the contracts that a store keeps, in a class whose name begins with `Test`, and give it the fixture they need:

    class TestMyIOManager(TableContract, SQLContract):
        @pytest.fixture
        def manager(self, tmp_path):
            return MyIOManager(folder=str(tmp_path))
"""

from __future__ import annotations

import pytest

for _suite in ("event_log", "io_manager", "partitions"):
    pytest.register_assert_rewrite(f"{__name__}.{_suite}")
