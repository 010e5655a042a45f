"""What the Definition tab tells of each kind of asset."""

from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    SQL,
    AssetIn,
    AssetKey,
    AssetOut,
    BackfillPolicy,
    Backoff,
    ConfigurableIOManager,
    DailyPartitionsDefinition,
    Definitions,
    EnvVar,
    InputContext,
    OutputContext,
    RetryPolicy,
    SourceAsset,
    TableOptions,
    TimeWindowPartitionMapping,
    asset,
    graph_asset,
    multi_asset,
    op,
    sql_asset,
    upsert,
)
from warehouse_assets.web.answers.asset import AssetRequest, AssetSource, asset_source


class Store(ConfigurableIOManager):
    url: str
    password: str = ""
    options: dict[str, str] = {}

    def handle_output(self, context: OutputContext, obj: Any) -> None: ...

    def load_input(self, context: InputContext) -> Any: ...


@op
def bake() -> int:
    return 1


@op
def slice_up(bread: int) -> int:
    return bread


@graph_asset
def toast() -> int:
    """From ops."""
    return slice_up(bake())


@multi_asset(outs={"crumbs": AssetOut(), "crust": AssetOut()})
def both() -> Any:
    return 1, 2


days = DailyPartitionsDefinition("2024-01-01")


@asset(
    partitions_def=days,
    ins={
        "before": AssetIn("events", columns=["a"], partition_mapping=TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))
    },
    backfill_policy=BackfillPolicy.multi_run(7),
    retry_policy=RetryPolicy(1, delay=2, backoff=Backoff.EXPONENTIAL),
    table=TableOptions(mode=upsert("id"), columns={"id": "bigint not null"}, sort_by="id"),
    metadata={"partition_expr": "day"},
    code_version="auto",
)
def kept(before: int) -> SQL:
    return SQL("select 1")


shortcut = asset(name="shortcut")(lambda: 1)


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return Definitions(
        [
            toast,
            both,
            SourceAsset("events", partitions_def=days),
            sql_asset("marts/total", "\n    select *\n    from toast\n", dialect="duckdb"),
            shortcut,
            kept,
        ],
        resources={
            "io_manager": Store(url="db://me:hush@host", password=EnvVar("SECRET"), options={"token": "hush", "zone": "eu"})
        },
    )


def told(definitions: Definitions, key: str) -> AssetSource:
    return asset_source(definitions, AssetRequest(AssetKey.coerce(key).path))


def test_a_graph_shows_the_code_of_its_ops(definitions: Definitions) -> None:
    source = told(definitions, "toast")

    assert source.kind == "graph of ops"
    assert [code.title for code in source.codes] == ["Op bake", "Op slice_up"]


def test_one_of_several_names_the_others(definitions: Definitions) -> None:
    source = told(definitions, "crumbs")

    assert (source.kind, source.together) == ("one of several assets of a function", (("crust",),))


def test_a_query_is_shown_as_it_was_written(definitions: Definitions) -> None:
    source = told(definitions, "marts/total")

    assert [(code.language, code.text) for code in source.codes] == [("sql", "select *\nfrom toast")]
    assert [one.key for one in source.inputs] == [("toast",)]


def test_a_function_without_a_body_of_its_own_is_shown(definitions: Definitions) -> None:
    assert told(definitions, "shortcut").codes[0].text == 'shortcut = asset(name="shortcut")(lambda: 1)'


def test_a_source_has_no_code(definitions: Definitions) -> None:
    source = told(definitions, "events")

    assert (source.kind, source.codes) == ("source", ())
    assert source.facts == (("partitions", "daily partitions from '2024-01-01' (UTC)"),)


def test_settings_hide_what_is_secret(definitions: Definitions) -> None:
    manager = told(definitions, "toast").manager

    assert manager is not None
    assert manager.settings == (
        ("url", "db://•••@host"),
        ("password", "environment variable SECRET"),
        ("options", "{token: •••, zone: eu}"),
    )


def test_how_a_table_is_kept_and_made_is_told(definitions: Definitions) -> None:
    source = told(definitions, "kept")
    (before,) = source.inputs

    assert dict(source.table_options) == {"mode": "upsert(id)", "sort by": "id"}
    assert [(column.name, column.type) for column in source.columns] == [("id", "bigint not null")]
    assert [name for name, _ in source.facts] == ["code version", "partitions", "retry policy", "backfill policy"]
    assert dict(source.facts)["retry policy"] == "1 retry, after 2 s, exponential backoff"
    assert (before.argument, before.type, before.part) == ("before", "int", "columns a")
    assert "TimeWindowPartitionMapping" in (before.partitions or "")
