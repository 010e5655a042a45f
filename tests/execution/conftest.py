from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import InProcessExecutor, ThreadExecutor


@pytest.fixture(params=[InProcessExecutor, lambda: ThreadExecutor(4)], ids=["in_process", "threads"])
def executor(request: pytest.FixtureRequest) -> Any:
    return request.param()
