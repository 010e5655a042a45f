"""A site on a small project, and who asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import Instance
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.web.app import create_app
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site

SHOP = '''
"""A small shop."""
import polars as pl

from io_managers import DuckDBIOManager
from warehouse_assets import (
    SQL, Config, Definitions, ScheduleDefinition, SourceAsset, StaticPartitionsDefinition, Table, asset, asset_check, define_asset_job,
    AssetCheckResult, sensor, RunRequest,
)


class Size(Config):
    """How much to make."""

    rows: int = 3


@asset(key_prefix="staging", group_name="staging", kinds={"polars"}, owners=["team:shop"], tags={"tier": "gold"})
def orders(config: Size) -> pl.DataFrame:
    """Orders as they come in."""
    return pl.DataFrame({"id": range(config.rows), "customer": ["ann", "bob", "ann"] * (config.rows // 3)})


@asset(key_prefix="marts", group_name="marts")
def per_customer(orders: Table) -> SQL:
    """How many orders each customer has."""
    return SQL("select customer, count(*) as orders from {o} group by customer", o=orders)


@asset(group_name="marts", deps=["raw/events"])
def bad() -> None:
    raise ValueError("no such luck")


@asset(group_name="marts", partitions_def=StaticPartitionsDefinition(["eu", "us"]), metadata={"partition_expr": "region"})
def regions(context) -> pl.DataFrame:
    return pl.DataFrame({"region": [context.partition_key], "n": [1]})


@asset_check(asset=per_customer)
def has_rows(per_customer: pl.DataFrame) -> AssetCheckResult:
    return AssetCheckResult(passed=per_customer.height > 0, metadata={"rows": per_customer.height})


@sensor(target="staging/orders")
def arrivals(context):
    return RunRequest(run_key="one")


nightly = define_asset_job("nightly", selection="staging/orders+")
defs = Definitions(
    [orders, per_customer, bad, regions, SourceAsset("raw/events", description="What came.")],
    asset_checks=[has_rows],
    jobs=[nightly],
    schedules=[ScheduleDefinition("every_night", cron_schedule="0 3 * * *", target=nightly, execution_timezone="Europe/Berlin")],
    sensors=[arrivals],
    resources={"io_manager": DuckDBIOManager(database="shop.duckdb")},
)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the project, whose module is `shop`."""
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def instance(folder: Path) -> Iterator[Instance]:
    """The record of the project."""
    with Instance.local(folder / "home") as opened:
        yield opened


@contextmanager
def sites_of(folder: Path, instance: Instance) -> Iterator[Callable[..., Site]]:
    """What makes sites on modules of the folder, that are loaded: `sites("shop", settings=…)`; they end with the block."""
    with ExitStack() as stack:

        def made(*modules: str, settings: Settings | None = None) -> Site:
            locations = [location_of(module, folder) for module in modules]
            workspace = stack.enter_context(Workspace(locations, environment=instance.environment))
            site = Site(workspace, instance, settings)
            site.start()
            site.wait()
            return site

        yield made


def asking(site: Site) -> TestClient:
    """Who asks a site as one of its pages does, with the token of what writes."""
    client = TestClient(create_app(site), base_url="http://localhost")
    client.headers["x-csrf-token"] = client.get("/api/server").json()["csrf"]
    return client


@pytest.fixture
def sites(folder: Path, instance: Instance) -> Iterator[Callable[..., Site]]:
    """Sites on modules of the folder."""
    with sites_of(folder, instance) as made:
        yield made


@pytest.fixture
def site(sites: Callable[..., Site]) -> Site:
    """The site of the shop."""
    return sites("shop")


@pytest.fixture
def client_of() -> Callable[[Site], TestClient]:
    """Who asks a site as one of its pages does, with the token of what writes."""

    return asking


@pytest.fixture
def client(site: Site, client_of: Callable[[Site], TestClient]) -> TestClient:
    """Who asks the site of the shop."""
    return client_of(site)
