from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import (
    AssetKey,
    AssetsDefinition,
    AutomationCondition,
    DailyPartitionsDefinition,
    Definitions,
    FreshnessPolicy,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
    TableOptions,
    load_assets_from_sql_files,
    snapshot,
    upsert,
)
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError
from warehouse_assets.sql import SQLOrigin

Models = Callable[..., Path]


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """Writes files into a folder of models."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            file = tmp_path / "models" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return tmp_path / "models"

    return write


def loaded(folder: Path, **options: Any) -> dict[str, AssetsDefinition]:
    found = load_assets_from_sql_files(folder, **options)
    return {item.key.to_user_string(): item for item in found if isinstance(item, AssetsDefinition)}


def one(folder: Path) -> AssetsDefinition:
    [definition] = loaded(folder).values()
    return definition


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(InvalidDefinitionError) as caught:
        load_assets_from_sql_files(folder)
    errors = caught.value.exceptions if isinstance(caught.value, InvalidDefinitionsError) else [caught.value]
    return [str(error).replace(f"{folder}{os.sep}", "") for error in errors]


def test_a_path_is_a_key(models: Models) -> None:
    files = (
        "staging/orders.sql",
        "staging/shop/items.SQL",
        "total.sql",
        "marts/odd name.v2.sql",
        ".hidden.sql",
        ".git/x.sql",
        "a.txt",
    )
    folder = models(dict.fromkeys(files, "select 1 as x"))

    assert [definition.key.path for definition in loaded(folder).values()] == [
        ("marts", "odd name.v2"),
        ("staging", "orders"),
        ("staging", "shop", "items"),
        ("total",),
    ]
    assert list(loaded(folder, key_prefix="lake/raw")) == [
        "lake/raw/marts/odd name.v2",
        "lake/raw/staging/orders",
        "lake/raw/staging/shop/items",
        "lake/raw/total",
    ]
    assert list(loaded(folder / "staging" / "orders.sql")) == ["orders"]


def test_a_folder_is_made_where_its_tables_are(models: Models, tmp_path: Path) -> None:
    folder = models(
        {
            "raw/orders.sql": "select unnest([1, 2, 3]) as amount",
            "staging/orders.sql": "-- the large ones\nselect * from raw.orders where amount > 1",
            "marts/total.sql": "with o as (from staging.orders) select sum(amount) as total from o;",
        }
    )
    defs = Definitions(
        load_assets_from_sql_files(folder), resources={"io_manager": DuckDBIOManager(database=str(tmp_path / "w.db"))}
    )

    assert defs.materialize().success
    assert defs.load_asset_value("marts/total")["total"].to_list() == [5]
    assert defs.graph[AssetKey(["marts", "total"])].parents == (AssetKey(["staging", "orders"]),)


def test_a_relative_path_begins_where_the_calling_file_is(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]
) -> None:
    models({"a.sql": "select 1 as x"})
    (tmp_path / "project_with_models.py").write_text(
        "from warehouse_assets import load_assets_from_sql_files\nassets = load_assets_from_sql_files('models')\n"
    )
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", [*sys.path])

    defs = load_definitions("project_with_models", tmp_path)
    forget_modules_of(tmp_path)

    assert defs.graph.executable_keys == [AssetKey("a")]


def test_the_header_says_what_sql_does_not(models: Models) -> None:
    header = """/* ---
description: |
  Orders without the cancelled ones.
tags: {tier: gold, level: 3}
owners: team:sales
kinds: [duckdb]
group: sales
io_manager_key: warehouse
code_version: 2
deps: [raw/rates]
metadata: {source: shop}
--- */
"""
    folder = models({"orders.sql": f"{header}select 1 as id"})
    spec = one(folder).get_asset_spec()

    assert spec.description == "Orders without the cancelled ones.\n"
    assert (spec.tags, spec.owners, spec.kinds) == ({"tier": "gold", "level": "3"}, ("team:sales",), {"sql", "duckdb"})
    assert (spec.group_name, spec.io_manager_key, spec.code_version) == ("sales", "warehouse", "2")
    assert [dep.asset_key for dep in spec.deps] == [AssetKey(["raw", "rates"])]
    assert spec.metadata == {"source": "shop"}
    sql = one(folder).sql
    assert sql is not None
    assert (sql.template, sql.origin) == ("select 1 as id", SQLOrigin(str(folder / "orders.sql"), 13))


def test_what_is_said_of_the_folder_is_for_files_that_do_not_say_it(models: Models) -> None:
    folder = models({"a.sql": "select 1", "b.sql": "/* ---\ngroup: own\ntags: {x: own}\ndialect: mysql\n--- */select 1"})
    found = loaded(folder, group_name="all", tags={"x": "1", "y": "2"}, owners=["team:a"], kinds=["k"], dialect="postgres")

    a, b = (found[name].get_asset_spec() for name in "ab")
    assert (a.group_name, b.group_name) == ("all", "own")
    assert (a.tags, b.tags) == ({"x": "1", "y": "2"}, {"x": "own", "y": "2"})
    assert a.owners == b.owners == ("team:a",)
    assert [found[name].sql.dialect for name in "ab"] == ["postgres", "mysql"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("mode: append", TableOptions(mode="append")),
        ("mode: upsert\nkey: [shop, id]", TableOptions(mode=upsert(["shop", "id"]))),
        ("mode: snapshot\nkey: id\nvalid_to: until", TableOptions(mode=snapshot("id", valid_to="until"))),
        ("sort_by: [day, id]\nkeep_versions: 3", TableOptions(sort_by=["day", "id"], keep_versions=3)),
        ("materialized: view", TableOptions(materialized="view")),
        ("schema: raw\nschema_policy: sync", TableOptions(schema="raw", schema_policy="sync")),
        ("columns: {id: bigint, day: date not null}", TableOptions(columns={"id": "bigint", "day": "date not null"})),
        ("columns: {id: {description: A number.}}", TableOptions(descriptions={"id": "A number."})),
    ],
    ids=["append", "upsert", "snapshot", "sorted", "view", "schema", "contract", "described"],
)
def test_the_header_says_how_the_table_is_written(models: Models, header: str, options: TableOptions) -> None:
    assert one(models({"a.sql": f"/* ---\n{header}\n--- */\nselect 1"})).get_asset_spec().table == options


def test_types_of_the_header_are_those_of_sql(models: Models, tmp_path: Path) -> None:
    text = "/* ---\ncolumns: {n: {type: 'decimal(9,2) not null', description: In euros.}}\n--- */\nselect 1::decimal(9, 2) as n"
    defs = Definitions(
        load_assets_from_sql_files(models({"a.sql": text})), resources={"io_manager": ParquetIOManager(base_path=str(tmp_path))}
    )

    result = defs.materialize()

    [column] = result.get_asset_materialization_events()[0].asset_materialization.metadata["column_schema"].value.columns  # type: ignore[union-attr]
    assert (column.description, column.nullable) == ("In euros.", False)


@pytest.mark.parametrize(
    ("partitions", "meant"),
    [
        ("{daily: 2024-01-01}", DailyPartitionsDefinition("2024-01-01")),
        (
            "{daily: {start: 2024-01-01, end: 2024-02-01, timezone: Europe/Berlin}}",
            DailyPartitionsDefinition("2024-01-01", "2024-02-01", timezone="Europe/Berlin"),
        ),
        ("{static: [eu, us, no]}", StaticPartitionsDefinition(["eu", "us", "no"])),
        (
            "{multi: {day: {daily: 2024-01-01}, region: {static: [eu]}}}",
            MultiPartitionsDefinition(
                {"day": DailyPartitionsDefinition("2024-01-01"), "region": StaticPartitionsDefinition(["eu"])}
            ),
        ),
    ],
    ids=["daily", "zone", "static", "multi"],
)
def test_the_header_says_how_the_table_is_partitioned(models: Models, partitions: str, meant: object) -> None:
    assert one(models({"a.sql": f"/* ---\npartitions: {partitions}\n--- */\nselect 1"})).partitions_def == meant


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        ("eager", AutomationCondition.eager()),
        ("on_missing", AutomationCondition.on_missing()),
        ('{on_cron: "0 7 * * *"}', AutomationCondition.on_cron("0 7 * * *")),
        (
            '{on_cron: {cron_schedule: "@daily", cron_timezone: Europe/Berlin}}',
            AutomationCondition.on_cron("@daily", "Europe/Berlin"),
        ),
    ],
    ids=["eager", "on_missing", "on_cron", "zone"],
)
def test_the_header_says_when_the_table_is_made_by_itself(models: Models, condition: str, meant: AutomationCondition) -> None:
    [spec] = one(models({"a.sql": f"/* ---\nautomation_condition: {condition}\n--- */\nselect 1"})).specs

    assert spec.automation_condition == meant


@pytest.mark.parametrize(
    ("policy", "meant"),
    [
        (
            "{time_window: {fail_window: 24h, warn_window: 12h}}",
            FreshnessPolicy.time_window(timedelta(hours=24), timedelta(hours=12)),
        ),
        (
            '{cron: {deadline_cron: "0 9 * * *", lower_bound_delta: 4h, timezone: Europe/Berlin}}',
            FreshnessPolicy.cron("0 9 * * *", timedelta(hours=4), "Europe/Berlin"),
        ),
    ],
    ids=["time_window", "cron"],
)
def test_the_header_says_how_old_the_table_may_become(models: Models, policy: str, meant: FreshnessPolicy) -> None:
    [spec] = one(models({"a.sql": f"/* ---\nfreshness_policy: {policy}\n--- */\nselect 1"})).specs

    assert spec.freshness_policy == meant


def test_a_dependency_can_say_how_partitions_are_mapped(models: Models) -> None:
    header = "partitions: {daily: 2024-01-01}\ndeps: [{asset: a, partition_mapping: {start_offset: -1, end_offset: -1}}]"
    graph = Definitions(load_assets_from_sql_files(models({"a.sql": f"/* ---\n{header}\n--- */\nselect * from a"}))).graph

    assert graph.order == [AssetKey("a")]


def test_the_header_lists_checks(models: Models, tmp_path: Path) -> None:
    header = """
checks:
  - not_null: [id, day]
  - unique: {columns: [id], blocking: true}
  - accepted_values: {column: state, values: [yes, no]}
  - row_count: {minimum: 2, history: {last: 5}, severity: warn}
  - freshness: {max_age: 36h, column: day}
  - schema_unchanged
"""
    query = "select 1 as id, current_date as day, 'no' as state"
    folder = models({"a.sql": f"/* ---{header}--- */\n{query}"})
    found = load_assets_from_sql_files(folder)
    defs = Definitions(found, resources={"io_manager": DuckDBIOManager()})

    names = [spec.name for check in found if isinstance(check, AssetChecksDefinition) for spec in check.specs]
    assert names == [
        "not_null_id",
        "not_null_day",
        "unique_id",
        "accepted_values_state",
        "row_count",
        "freshness",
        "schema_unchanged",
    ]
    result = defs.materialize(raise_on_error=False)
    failed = [evaluation.check_name for evaluation in result.get_asset_check_evaluations() if not evaluation.passed]
    assert failed == ["row_count"]
    assert {str(check.place).rpartition(":")[2] for check in found if isinstance(check, AssetChecksDefinition)} == {
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
    }


@pytest.mark.parametrize("ending", ["yaml", "yml"])
def test_what_is_said_can_be_in_a_file_beside_it(models: Models, ending: str) -> None:
    folder = models({"a.sql": "/* ---\ngroup: x\n--- */ select 1", f"a.{ending}": "description: The first.\ntests: []\n"})

    spec = one(folder).get_asset_spec()
    assert (spec.group_name, spec.description) == ("x", "The first.")


def test_what_is_said_twice_is_a_fault(models: Models) -> None:
    folder = models({"a.sql": "/* ---\ngroup: x\n--- */ select 1", "a.yaml": "\ngroup: x"})

    assert faults_of(folder) == ["asset 'a': 'group' is said twice, also at a.sql:2 (a.yaml:2)"]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("descripton: x", "asset 'a': its header has 'descripton' (a.sql:2). Did you mean 'description'?"),
        ("x: 1\ny: 2", "asset 'a': its header has 'x' (a.sql:2). There are automation_condition, checks, "),
        ("description: 3", "asset 'a': 'description' is 3, not text (a.sql:2). Put it in quotes."),
        ("group: a b", "asset 'a': the group name 'a b' is not allowed (a.sql:4)"),
        ("\ntags: [a]", "asset 'a': 'tags' is ['a'], not a mapping (a.sql:3). Write tags: {name: value}."),
        ("tags:\n  x: 1\n  y: true", "asset 'a': the tag 'y' is True, not text (a.sql:4). Put it in quotes."),
        ("owners: me", "asset 'a': the owner 'me' is not allowed (a.sql:4)"),
        ("owners: {a: b}", "asset 'a': 'owners' is {'a': 'b'}, not a list of texts (a.sql:2). Write owners: [a, b]."),
        ("mode: upsrt", "asset 'a': the mode 'upsrt' is none (a.sql:2). Did you mean 'upsert'?"),
        ("mode: upsert", "asset 'a': the key of upsert is [], not one or more different column names (a.sql:2)"),
        (
            "mode: append\nkey: id",
            "asset 'a': 'key' says nothing for the mode 'append' (a.sql:3). Modes with a key are upsert, ",
        ),
        ("sort_by: 3", "asset 'a': sort_by is 3, not one or more different column names (a.sql:2)"),
        ("materialized: vew", "asset 'a': materialized is 'vew' (a.sql:2). It is "),
        ("keep_versions: x", "asset 'a': keep_versions is 'x', not a number of versions, 1 or more (a.sql:2)"),
        ("columns: [a, b]", "asset 'a': 'columns' is ['a', 'b'], not a mapping (a.sql:2)"),
        (
            "columns:\n  a: int\n  b: {description: x}",
            "asset 'a': the column 'b' has no type, and others have one (a.sql:4). Give all",
        ),
        (
            "columns:\n  a: {typ: int}",
            "asset 'a': the column 'a' has 'typ' (a.sql:3). A column has a type and a description; a type with a comma",
        ),
        ("partitions: daily", "asset 'a': 'partitions' is 'daily', not a mapping (a.sql:2)"),
        (
            "partitions: {dayly: 2024-01-01}",
            "asset 'a': the partitions are {'dayly': '2024-01-01'} (a.sql:2). Did you mean 'daily'?",
        ),
        ("partitions: {daily: {begin: 2024}}", "asset 'a': 'daily' takes no 'begin' (a.sql:2). There are start_date, "),
        ("partitions: {daily: soon}", "asset 'a': "),
        ("partitions: {daily: }", "asset 'a': "),
        ("partitions: {static: [a, a]}", "asset 'a': "),
        ("automation_condition: eagr", "asset 'a': the automation condition is 'eagr' (a.sql:2). Did you mean 'eager'?"),
        (
            "automation_condition:\n  on_cron: 61 * * * *",
            "asset 'a': the automation condition: the cron schedule '61 * * * *' cannot be used: ",
        ),
        ("automation_condition: {on_cron: {zone: x}}", "asset 'a': 'on_cron' takes no 'zone' (a.sql:2). There are cron_s"),
        ("freshness_policy: 24h", "asset 'a': 'freshness_policy' is '24h', not a mapping (a.sql:2)"),
        ("freshness_policy: {cron: daily}", "asset 'a': the freshness policy is {'cron': 'daily'} (a.sql:2). Write {time"),
        (
            "freshness_policy: {time_window: {fail_window: soon}}",
            "asset 'a': fail_window is 'soon' (a.sql:2). Write a number and one of s, min, h, d, w: 36h.",
        ),
        ("deps: [3]", "asset 'a': a dependency is 3 (a.sql:2). Write a key, or {asset: key, partition_mapping: …}."),
        (
            "deps:\n- {asset: b, partition_mapping: first}",
            "asset 'a': the partition mapping is 'first' (a.sql:3). It is one of all, ",
        ),
        ("code_version: [1]", "asset 'a': 'code_version' is [1], not text"),
        ("checks: not_null", "asset 'a': the checks are 'not_null', not a list (a.sql:2). Write each as - not_null: [id]."),
        ("checks:\n- not_nul: id", "asset 'a': there is no check 'not_nul' (a.sql:3). Did you mean 'not_null'?"),
        ("checks:\n- a: 1\n  b: 2", "asset 'a': a check is {'a': 1, 'b': 2} (a.sql:3)"),
        (
            "checks:\n- unique:\n    columns: id\n    blockng: true",
            "asset 'a': 'unique' takes no 'blockng' (a.sql:5). Did you mean 'blocking'?",
        ),
        ("checks:\n- row_count: {min: 3}", "asset 'a': 'row_count' takes no 'min' (a.sql:3)"),
        (
            "checks:\n- row_count: {minimum: 3, maximum: 1}",
            "asset 'a': row_count of 'a': the minimum 3 is above the maximum 1 (a.sql:3)",
        ),
        (
            "checks:\n- row_count: {minimum: 3, severity: bad}",
            "asset 'a': checks.0.row_count.severity cannot be meant: 'BAD' is not",
        ),
        (
            "checks:\n- freshness: {max_age: soon}",
            "asset 'a': max_age is 'soon' (a.sql:3). Write a number and one of s, min, h, d, w: 36h.",
        ),
        ("checks:\n- unique", "asset 'a': checks.0.unique cannot be meant: "),
        ("a: b: c", "the YAML cannot be read: mapping values are not allowed in this context (a.sql:2:5)"),
        ("group: a\n\ngroup: b", "the YAML cannot be read: 'group' is there twice (a.sql:4:1)"),
        ("- a", "the YAML is ['a'], not a mapping (a.sql:2). Write key: value, each on a line."),
        ("description: !!python/object:os.system x", "the YAML cannot be read: could not determine a constructor"),
    ],
)
def test_a_header_that_cannot_be_meant_is_told_with_its_line(models: Models, header: str, fault: str) -> None:
    told = faults_of(models({"a.sql": f"/* ---\n{header}\n--- */\nselect 1"}))

    assert told[0].startswith(fault)


def test_all_faults_of_a_folder_are_told_at_once(models: Models) -> None:
    folder = models(
        {
            "a.sql": "/* ---\nx: 1\nchecks: 3\n--- */\nselect 1",
            "b.sql": "/* ---\nselect 1",
            "c.sql": "select * from {{ ref('orders') }}",
            "d.sql": "/* ---\nowners: [me, you]\n--- */ select 1",
        }
    )
    (folder / "e.sql").write_bytes("select 'größe'".encode("latin-1"))

    assert [fault.partition("(")[2].partition(")")[0] for fault in faults_of(folder)][:2] == ["a.sql:2", "a.sql:3"]
    assert len(faults_of(folder)) == 7


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("select *\nfrom {{ ref('orders') }}", "2:6"),
        ("{{ config(materialized='view') }} select 1", "1:1"),
        ("select 1 {% if is_incremental() %} where x {% endif %}", "1:10"),
        ("select * from {{this}}", "1:15"),
    ],
    ids=["ref", "config", "if", "this"],
)
def test_jinja_is_told_by_what_to_write_instead(models: Models, text: str, place: str) -> None:
    [told] = faults_of(models({"a.sql": text}))

    assert told.startswith("it has Jinja, {")
    assert f"(a.sql:{place}). Name the table itself, staging.orders: that is the dependency." in told


def test_text_that_looks_like_jinja_is_none(models: Models) -> None:
    text = "select {'a': {'b': {'c': 1}}} as s, '{{ x }}' as t"

    assert one(models({"a.sql": text})).sql.template == text  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["\ufeffselect 1", "/* a comment */ select 1", "-- --- x\nselect 1", "select 1 /* --- */"])
def test_a_file_needs_no_header(models: Models, text: str) -> None:
    assert one(models({"a.sql": text})).sql.template == text.removeprefix("\ufeff")  # type: ignore[union-attr]


@pytest.mark.parametrize("header", ["/* ---\n--- */", "/*---\r\n---*/\r\n", "\ufeff\n/* ---\n\n*/", "/* ---*/"])
def test_a_header_may_say_nothing(models: Models, header: str) -> None:
    assert one(models({"a.sql": f"{header}select 1"})).sql.template == "select 1"  # type: ignore[union-attr]


def test_faults_in_the_sql_have_their_place_in_the_file(models: Models) -> None:
    folder = models(
        {
            "staging/orders.sql": "select 1 as id",
            "a.sql": "/* ---\ngroup: x\n--- */\n\nselect *\nfrom staging.ordrs",
            "b.sql": "select (1",
            "c.sql": "/* ---\ngroup: x\n--- */\n",
        }
    )

    with pytest.raises(InvalidDefinitionsError) as caught:
        Definitions(load_assets_from_sql_files(folder))

    assert [str(fault).replace(f"{folder}{os.sep}", "") for fault in caught.value.exceptions] == [
        "the SQL of asset 'b': Expecting ) (b.sql:1:9)",
        "the SQL of asset 'c': it holds no statement (c.sql:4). Write a SELECT; the table is made from it.",
        "asset 'a': its SQL reads the table 'staging.ordrs', which is no asset (a.sql:6:6). Did you mean 'staging/orders'?",
    ]


def test_a_folder_that_is_not_there_is_told(models: Models, tmp_path: Path) -> None:
    models({"a.sql": "select 1"})
    (tmp_path / "empty").mkdir()

    with pytest.raises(
        InvalidDefinitionError, match=r"there is no folder .*model \(.*test_sql_files.py:\d+\). Did you mean 'models'\?"
    ):
        load_assets_from_sql_files(tmp_path / "model")
    with pytest.raises(InvalidDefinitionError, match=r"has no \.sql files"):
        load_assets_from_sql_files(tmp_path / "empty")


def test_links_are_followed_and_those_that_lead_back_are_not(models: Models, tmp_path: Path) -> None:
    folder = models({"a/x.sql": "select 1"})
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "y.sql").write_text("select 2")
    (folder / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "gone.sql").symlink_to(tmp_path / "nowhere")

    assert list(loaded(folder)) == ["a/x", "b/y"]


def test_names_may_hold_any_text(models: Models, tmp_path: Path) -> None:
    odd = """it's "odd"; drop table x --.sql"""
    folder = models(
        {f"über den/{odd}": "select 1 as n", "b.sql": """select * from "über den"."it's ""odd""; drop table x --" """}
    )
    defs = Definitions(
        load_assets_from_sql_files(folder), resources={"io_manager": DuckDBIOManager(database=str(tmp_path / "w.db"))}
    )

    assert defs.materialize().success
    assert defs.load_asset_value("b")["n"].to_list() == [1]


def test_while_a_project_is_loaded_the_files_that_are_right_are_kept(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models({"a.sql": "/* ---\nx: 1\n--- */ select 1", "b.sql": "select * from nothing"})
    (tmp_path / "faulty_project.py").write_text(
        "from warehouse_assets import load_assets_from_sql_files\nassets = load_assets_from_sql_files('models')\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])

    with pytest.raises(InvalidDefinitionsError) as caught:
        load_definitions("faulty_project", tmp_path)

    assert len(caught.value.exceptions) == 2
