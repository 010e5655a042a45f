"""A site on a bakery whose record is full, shared by the tests of the asset page, which only read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import AssetCheckEvaluation, AssetKey, AssetMaterialization, AssetObservation, Instance, MetadataValue
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.events import Event, RunRecord
from warehouse_assets.tables import TableColumn, TableSchema
from warehouse_assets.web.app import create_app
from warehouse_assets.web.site import Site

BAKERY = '''
"""A bakery."""
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from io_managers import DuckDBIOManager, FsspecIOManager
from warehouse_assets import (
    SQL, AssetCheckResult, AssetIn, AssetKey, AutomationCondition, Config, DailyPartitionsDefinition, Definitions, FreshnessPolicy,
    MultiPartitionsDefinition, Output, RetryPolicy, ScheduleDefinition, SourceAsset, StaticPartitionsDefinition, TableOptions, asset,
    asset_check, define_asset_job, observable_source_asset, DataVersion,
)

HERE = Path(__file__).parent


class Recipe(Config):
    """What is baked."""

    loaves: int = 3
    api_key: str = "hush"


@observable_source_asset(key_prefix="raw", group_name="raw")
def flour() -> DataVersion:
    return DataVersion("sack 7")


@asset(
    key_prefix="staging", group_name="staging", kinds={"polars"}, owners=["team:ovens"], tags={"tier": "gold"}, code_version="3",
    deps=["raw/flour"], retry_policy=RetryPolicy(2, delay=1.5), pool="oven", op_tags={"size": "big"},
    freshness_policy=FreshnessPolicy.time_window(timedelta(days=2), timedelta(days=1)), automation_condition=AutomationCondition.eager(),
    metadata={"wiki": "https://example.com/loaves", "odd": object},
    table=TableOptions(columns={"id": pl.Int64, "name": pl.String, "note": pl.String, "raw": pl.Binary}, keep_versions=3,
                       descriptions={"id": "Which loaf."}),
)
def loaves(config: Recipe) -> Output[pl.DataFrame]:
    """Loaves **as baked**, `raw`.

    <script>alert(1)</script> [web](https://example.com) [bad](javascript:alert(1))
    """
    frame = pl.DataFrame({"id": range(config.loaves), "name": ["<b>rye</b>", "", "x" * 500][: config.loaves],
                          "note": [None, "null", "a"][: config.loaves], "raw": [b"abc", b"", b"\\x00" * 40][: config.loaves]},
                         schema={"id": pl.Int64, "name": pl.String, "note": pl.String, "raw": pl.Binary})
    return Output(frame, metadata={"crumbs": 0.25, "note": "<img src=x>"})


@asset(key_prefix="marts", group_name="marts", deps=["staging/loaves"])
def per_name() -> SQL:
    """How many of each."""
    return SQL("select name, count(*) as n, sum(id) as ids from staging.loaves where note is not null group by name")


@asset(group_name="marts", io_manager_key="files")
def values() -> list:
    return [{"a": 1, "b": None}, {"a": 2, "c": "<i>"}]


@asset(key=AssetKey(["odd \\" key", "a/b", "<script>"]), group_name="marts")
def odd() -> None:
    """Odd."""


days = DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")


@asset(group_name="days", partitions_def=days, metadata={"partition_expr": "day"})
def daily(context) -> pl.DataFrame:
    return pl.DataFrame({"day": [datetime.fromisoformat(context.partition_key).date()], "n": [1]})


@asset(group_name="days", partitions_def=MultiPartitionsDefinition({"day": days, "shop": StaticPartitionsDefinition(["east", "west"])}),
       metadata={"partition_expr": {"day": "day", "shop": "shop"}})
def by_shop(context) -> pl.DataFrame:
    """Two dimensions."""


@asset_check(asset=loaves, description="Has <rows>.", blocking=True)
def has_rows(loaves: pl.DataFrame) -> AssetCheckResult:
    return AssetCheckResult(passed=loaves.height > 0, metadata={"rows": loaves.height})


nightly = define_asset_job("nightly", selection="staging/loaves+")
defs = Definitions(
    [flour, loaves, per_name, values, odd, daily, by_shop, SourceAsset("raw/events")], asset_checks=[has_rows], jobs=[nightly],
    schedules=[ScheduleDefinition("every_night", cron_schedule="0 3 * * *", target=nightly)],
    resources={"io_manager": DuckDBIOManager(database=str(HERE / "bakery.duckdb")), "files": FsspecIOManager(base_path=str(HERE / "files"))},
)
'''

ODD = AssetKey(['odd " key', "a/b", "<script>"])
GONE = AssetKey(["staging", "gone"])


@pytest.fixture(scope="package")
def bakery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site of the bakery, of which much was made."""
    folder = tmp_path_factory.mktemp("bakery")
    (folder / "bakery.py").write_text(BAKERY)
    with Instance.local(folder / "home") as instance:
        _bake(folder, instance)
        with Workspace([location_of("bakery", folder)], environment=instance.environment) as workspace:
            site = Site(workspace, instance)
            site.start()
            site.wait()
            yield site


def _bake(folder: Path, instance: Instance) -> None:
    definitions = load_definitions("bakery", folder)
    for count in (2, 3):
        config = {"ops": {"staging__loaves": {"config": {"loaves": count}}}}
        definitions.materialize("staging/loaves", instance=instance, run_config=config)
    definitions.materialize(["marts/per_name", "values"], instance=instance)
    definitions.materialize("daily", instance=instance, partition_key="2024-01-02")
    old = TableSchema((TableColumn("a", "INTEGER"), TableColumn("b", "VARCHAR")))
    new = TableSchema((TableColumn("a", "BIGINT"), TableColumn("c", "DATE", description="<day>")))
    many = {
        "table": MetadataValue.table([{"<a>": 1, "b": None}, {"<a>": 2.5}]),
        "json": {"deep": ["<x>"] * 30},
        "md": MetadataValue.md("# hi\n<script>x</script>"),
        "link": MetadataValue.url("https://example.com/?a=1&b=2"),
        "trap": MetadataValue.url("javascript:alert(1)"),
        "path": MetadataValue.path("/data/x"),
        "seen": MetadataValue.timestamp(1_700_000_000.0),
        "nan": float("nan"),
        "ok": True,
        "nothing": None,
        "of": MetadataValue.asset("staging/loaves"),
        "run": MetadataValue.run("r1"),
        "words": "line 1\nline 2",
    }
    for number, schema in enumerate((old, old, new)):
        instance.report_runless_asset_event(
            AssetMaterialization(
                GONE, metadata={"row_count": 10 * (number + 1), "column_schema": schema, **(many if number else {})}
            )
        )
    instance.report_runless_asset_event(AssetObservation(GONE, metadata={"row_count": 7}))
    instance.report_runless_asset_event(AssetMaterialization(ODD, metadata={"row_count": 1}, partition="<q>&\u202e"))
    instance.report_runless_asset_event(
        AssetCheckEvaluation(AssetKey(["staging", "loaves"]), "has_rows", False, metadata={"rows": 0})
    )
    failing = RunRecord("failing", "STARTED", 5e9, 5e9, asset_keys=(AssetKey(["marts", "per_name"]),))
    instance.create_run(failing)
    from warehouse_assets.events import ErrorInfo

    instance.store_events(
        [
            Event(
                "STEP_FAILURE", "failing", 5e9 + 1, "marts/per_name", "failed", ErrorInfo("ValueError", "no <dough>\nat all")
            ),
            Event("RUN_FAILURE", "failing", 5e9 + 2),
        ]
    )


@pytest.fixture(scope="package")
def client(bakery: Site) -> TestClient:
    """Who asks it."""
    return TestClient(create_app(bakery), base_url="http://localhost")
