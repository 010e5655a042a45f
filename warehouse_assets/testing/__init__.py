"""For tests: `check_asset`, which runs one asset in memory, `asset_tests`, which finds tests beside SQL, and contract suites, which say what every store promises.

Inherit the contracts that a store keeps, in a class whose name begins with `Test`, and give it the fixture they need:

    class TestMyIOManager(TableContract, SQLContract):
        @pytest.fixture
        def manager(self, tmp_path):
            return MyIOManager(folder=str(tmp_path))
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import ExtraRequiredError

if TYPE_CHECKING:
    from warehouse_assets.asset_tests.bench import check_asset as check_asset
    from warehouse_assets.asset_tests.cases import AssetTest as AssetTest
    from warehouse_assets.asset_tests.cases import asset_tests as asset_tests

__all__ = ["AssetTest", "asset_tests", "check_asset"]

_HOMES = {"AssetTest": "cases", "asset_tests": "cases", "check_asset": "bench"}

if "pytest" in sys.modules:  # which shows what a promise compared, unless the tests are run by something else
    import pytest

    for _suite in ("event_log", "io_manager"):
        pytest.register_assert_rewrite(f"{__name__}.{_suite}")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"warehouse_assets.asset_tests.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "polars":
            raise
        raise ExtraRequiredError.of("polars", "duckdb", name) from None
