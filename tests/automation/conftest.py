from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse_assets import Instance
from warehouse_assets.code_location.definitions import Definitions
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.events import CodeLocation

SHOP = """
import os, sys, time
from pathlib import Path
from warehouse_assets import AssetExecutionContext, Config, StaticPartitionsDefinition, asset, define_asset_job

class Sizes(Config):
    rows: int = 1

@asset
def orders(context: AssetExecutionContext, config: Sizes) -> list[int]:
    if Path("broken").exists():
        raise ValueError("the orders are broken")
    return [1] * config.rows

@asset(deps=[orders])
def slow(context: AssetExecutionContext) -> None:
    Path("running").touch()
    while Path("hold").exists():
        time.sleep(0.01)
    if Path("crash").exists():
        os._exit(9)

@asset
def customers(orders: list[int]) -> int:
    print("counted", len(orders))
    print("a warning", file=sys.stderr)
    os.system("echo from a child")
    return len(orders)

@asset(partitions_def=StaticPartitionsDefinition(["a", "b", "c"]))
def parts(context: AssetExecutionContext) -> dict[str, str]:
    context.log.info("making %s", context.partition_keys)
    return {key: key for key in context.partition_keys}

nightly = define_asset_job("nightly", "orders", config={"ops": {"orders": {"config": {"rows": 3}}}}, tags={"team": "shop"})
"""


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop_of_runs.py").write_text(SHOP)
    return folder


@pytest.fixture(scope="session")
def definitions(shop_folder: Path) -> Definitions:
    return load_definitions("shop_of_runs.py", shop_folder)


@pytest.fixture
def location(tmp_path: Path) -> CodeLocation:
    """A code location of its own folder, in which processes look for what they do."""
    (tmp_path / "shop_of_runs.py").write_text(SHOP)
    return CodeLocation("shop", "shop_of_runs.py", str(tmp_path))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with Instance.local(tmp_path / "home") as instance:
        yield instance


@pytest.fixture(autouse=True)
def _own_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes import what is tested here."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
