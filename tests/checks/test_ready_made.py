from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from io_managers import DuckDBIOManager, InMemoryIOManager, ParquetIOManager
from warehouse_assets import (
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    Definitions,
    Instance,
    SourceAsset,
    TableColumn,
    TableSchema,
    asset,
)
from warehouse_assets.checks import (
    HistoryBand,
    accepted_values,
    byte_size,
    column_checks,
    freshness,
    not_null,
    relationship,
    row_count,
    schema_unchanged,
    unique,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidSQLError, UnsupportedTypeError
from warehouse_assets.events import AssetCheckEvaluation

pytestmark = pytest.mark.semantics(36)

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(params=["duckdb", "parquet", "memory"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store that answers SQL, one whose files DuckDB reads, and one that is brought in."""
    stores: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: DuckDBIOManager(database=str(tmp_path / "w.duckdb")),
        "parquet": lambda: ParquetIOManager(base_path=str(tmp_path / "lake")),
        "memory": InMemoryIOManager,
    }
    return stores[request.param]()


def evaluated(
    frame: pl.DataFrame, *checks: AssetChecksDefinition, manager: Any = None, instance: Instance | None = None, runs: int = 1
) -> dict[str, AssetCheckEvaluation]:
    """How the checks of an asset `staging/orders` with these rows went, by their names, when it was made so many times."""

    @asset(key_prefix="staging")
    def orders() -> pl.DataFrame:
        return frame

    @asset
    def customers() -> pl.DataFrame:
        return pl.DataFrame({"id": [1, 2, None], "it's": ["a", "b", "c"]})

    resources = {"io_manager": manager or InMemoryIOManager()}
    definitions = Definitions([orders, customers], asset_checks=checks, resources=resources)
    record = instance or Instance.ephemeral()
    for _ in range(runs):
        result = definitions.materialize(instance=record)
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def values(evaluation: AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items()}


class TestColumns:
    frame = pl.DataFrame(
        {
            "id": [1, 2, 2, None, None],
            "region": ["n", "n", "s", None, "n"],
            "day": ["mon", "mon", "tue", "mon", None],
            "customer": [1, 2, 3, None, 1],
        },
        schema_overrides={"id": pl.Int64},
    )

    def test_all_of_them_in_every_store(self, manager: Any) -> None:
        checks = column_checks(
            "staging/orders",
            not_null=["id", "customer"],
            unique=["id", ("region", "day")],
            accepted_values={"region": ["n", "w"], "day": ["mon", "tue"]},
            relationships={"customer": ("customers", "id")},
        )

        found = evaluated(self.frame, checks, manager=manager)

        assert {name: evaluation.passed for name, evaluation in found.items()} == {
            "not_null_id": False,
            "not_null_customer": False,
            "unique_id": False,
            "unique_region_day": False,
            "accepted_values_region": False,
            "accepted_values_day": True,
            "relationship_customer": False,
        }
        assert {name: evaluation.description for name, evaluation in found.items()} == {
            "not_null_id": "2 of 5 rows have no 'id'",
            "not_null_customer": "1 of 5 rows have no 'customer'",
            "unique_id": "2 of 5 rows share their 'id' with others",
            "unique_region_day": "2 of 5 rows share their 'region', 'day' with others",
            "accepted_values_region": "1 of 5 rows have another 'region' than 'n', 'w'",
            "accepted_values_day": None,
            "relationship_customer": "1 of 5 rows have a 'customer' that no row of 'customers' has as 'id'",
        }
        assert values(found["accepted_values_region"]) == {
            "row_count": 5,
            "failed_row_count": 1,
            "failed_share": 0.2,
            "failed_rows": [{"id": 2, "region": "s", "day": "tue", "customer": 3}],
        }
        assert values(found["unique_region_day"])["failed_rows"] == [{"region": "n", "day": "mon", "times": 2}]
        assert values(found["accepted_values_day"]) == {"row_count": 5, "failed_row_count": 0}

    def test_a_table_without_rows_passes(self, manager: Any) -> None:
        empty = self.frame.clear()
        checks = column_checks(
            "staging/orders",
            not_null=["id"],
            unique=["id"],
            accepted_values={"region": ["n"]},
            relationships={"customer": ("customers", "id")},
        )

        assert {evaluation.passed for evaluation in evaluated(empty, checks, manager=manager).values()} == {True}

    def test_each_alone(self) -> None:
        checks = [
            not_null("staging/orders", ["id"]),
            unique("staging/orders", ["region", "day"]),
            accepted_values("staging/orders", "day", ["mon"]),
            relationship("staging/orders", "customer", to="customers", to_column="id"),
        ]

        found = evaluated(self.frame, *checks)

        assert list(found) == ["not_null_id", "unique_region_day", "accepted_values_day", "relationship_customer"]

    def test_other_stores_are_read_too(self, tmp_path: Path) -> None:
        @asset
        def orders() -> pl.DataFrame:
            return pl.DataFrame({"customer": [1, 9]})

        @asset(io_manager_key="lake")
        def customers() -> pl.DataFrame:
            return pl.DataFrame({"id": [1]})

        definitions = Definitions(
            [orders, customers],
            asset_checks=[relationship(orders, "customer", to=customers, to_column="id")],
            resources={
                "io_manager": DuckDBIOManager(database=str(tmp_path / "w.duckdb")),
                "lake": ParquetIOManager(base_path=str(tmp_path)),
            },
        )

        [evaluation] = definitions.materialize(instance=Instance.ephemeral()).get_asset_check_evaluations()

        assert values(evaluation)["failed_rows"] == [{"customer": 9}]

    def test_a_table_may_have_a_relationship_with_itself(self, manager: Any) -> None:
        frame = pl.DataFrame({"id": [1, 2], "parent": [None, 3]})

        found = evaluated(frame, relationship("staging/orders", "parent", to="staging/orders", to_column="id"), manager=manager)

        assert values(found["relationship_parent"])["failed_rows"] == [{"id": 2, "parent": 3}]

    def test_names_and_values_are_never_code(self, manager: Any) -> None:
        names = ['q"uote', "it's", "{value0}", "select", "x; drop table t", "a b", "{t}", "n", "times"]
        frame = pl.DataFrame({name: ["'; drop table orders; --", None] for name in names})
        checks = column_checks(
            "staging/orders",
            not_null=names,
            unique=[*names, names],
            accepted_values={name: ["x'", "{value0}"] for name in names},
            relationships=dict.fromkeys(names, ("customers", "it's")),
        )

        found = evaluated(frame, checks, manager=manager)

        failed = {name.partition("_")[0] for name, evaluation in found.items() if not evaluation.passed}
        assert len(found) == 4 * len(names) + 1
        assert failed == {"not", "accepted", "relationship"}
        assert {values(evaluation)["failed_row_count"] for evaluation in found.values()} == {0, 1}

    def test_the_sample_is_as_large_as_wanted_and_holds_any_value(self) -> None:
        frame = pl.DataFrame(
            {"n": [None] * 30, "day": [dt.date(2024, 2, 29)] * 30, "share": [float("nan")] * 30, "raw": [b"x"] * 30}
        )

        sizes = []
        for size in (0, 3, 10):
            found = evaluated(frame, not_null("staging/orders", "n", sample=size))["not_null_n"]
            sizes.append(len(values(found).get("failed_rows", [])))

        assert sizes == [0, 3, 10]
        assert values(found)["failed_rows"][0] == {"n": None, "day": "2024-02-29", "share": None, "raw": "b'x'"}

    def test_severity_and_blocking_are_those_of_the_declaration(self) -> None:
        warning = AssetCheckSeverity.WARN

        found = evaluated(self.frame, not_null("staging/orders", ["id"], severity=warning, blocking=True))["not_null_id"]

        assert (found.passed, found.severity, found.blocking) == (False, warning, True)

    def test_a_column_that_is_not_there_is_named(self) -> None:
        with pytest.raises(InvalidSQLError, match="nothing"):
            evaluated(self.frame, not_null("staging/orders", ["nothing"]))

    @pytest.mark.parametrize(
        ("declare", "message"),
        [
            (lambda: column_checks("orders"), "column checks of 'orders': nothing is to be checked"),
            (lambda: column_checks("orders", not_null="id"), "'id' is given where a list is expected"),
            (lambda: column_checks("orders", not_null=[3]), "3 is no name of a column"),
            (lambda: column_checks("orders", unique=[()]), "a group of columns that are unique together is empty"),
            (lambda: accepted_values("orders", "a", []), r"the accepted values of 'a' are \[\]"),
            (lambda: accepted_values("orders", "a", [None]), r"the accepted values of 'a' are \[None\]"),
            (lambda: accepted_values("orders", "a", "abc"), "'abc' is given where a list is expected"),
            (lambda: relationship("orders", "a", to=3, to_column="id"), "3 is not a dependency"),
            (lambda: not_null(3, ["a"]), "3 is not a dependency"),
        ],
        ids=[
            "nothing",
            "text",
            "no name",
            "empty group",
            "no values",
            "null",
            "text as values",
            "no asset",
            "no asset checked",
        ],
    )
    def test_what_cannot_be_meant(self, declare: Callable[[], Any], message: str) -> None:
        with pytest.raises(InvalidDefinitionError, match=message) as info:
            declare()

        assert "test_ready_made.py:" in str(info.value)


class TestSizes:
    frame = pl.DataFrame({"id": [1, 2, 3]})

    @pytest.mark.parametrize(
        ("bounds", "description"),
        [
            ({"minimum": 3, "maximum": 3}, None),
            ({"minimum": 4}, "3 rows: at least 4 are expected"),
            ({"maximum": 2}, "3 rows: at most 2 are expected"),
        ],
        ids=["within", "few", "many"],
    )
    def test_rows_within_bounds(self, manager: Any, bounds: dict[str, int], description: str | None) -> None:
        found = evaluated(self.frame, row_count("staging/orders", **bounds), manager=manager)["row_count"]

        assert (found.passed, found.description, values(found)) == (description is None, description, {"row_count": 3})

    def test_rows_within_a_band_of_what_they_were(self, manager: Any) -> None:
        with Instance.ephemeral() as instance:
            check = row_count("staging/orders", history=HistoryBand(at_least=2, share=0.5))
            first = evaluated(self.frame, check, manager=manager, instance=instance)["row_count"]
            third = evaluated(self.frame, check, manager=manager, instance=instance, runs=2)["row_count"]
            many = evaluated(pl.DataFrame({"id": range(9)}), check, manager=manager, instance=instance)["row_count"]

        assert (first.passed, first.description) == (True, "0 recorded before, 2 are needed to compare with")
        assert (third.passed, values(third)["compared_with"]) == (True, 2)
        assert (values(third)["expected_minimum"], values(third)["expected_maximum"]) == (1.5, 4.5)
        assert (many.passed, many.description) == (False, "9 rows: 2 to 4 rows are expected after the last 3")

    def test_a_band_grows_with_what_varied(self) -> None:
        assert HistoryBand(deviations=1, share=0).around([1, 3]) == (1.0, 3.0)
        assert HistoryBand(deviations=3, share=0.1).around([100, 100]) == (90.0, 110.0)
        with pytest.raises(InvalidDefinitionError, match="at_least is 0"):
            HistoryBand(at_least=0)
        with pytest.raises(InvalidDefinitionError, match="cannot be below 0"):
            HistoryBand(share=-1)

    def test_bytes_are_those_that_were_recorded(self, tmp_path: Path) -> None:
        store = ParquetIOManager(base_path=str(tmp_path))
        checks = [
            byte_size("staging/orders", minimum=1),
            byte_size("staging/orders", maximum=1, name="tiny"),
            byte_size("staging/orders", history=HistoryBand(at_least=1), name="like_before", blocking=True),
        ]
        with Instance.ephemeral() as instance:
            found = evaluated(self.frame, *checks, manager=store, instance=instance, runs=2)

        assert {name: evaluation.passed for name, evaluation in found.items()} == {
            "byte_size": True,
            "tiny": False,
            "like_before": True,
        }
        assert values(found["byte_size"])["byte_size"] == (tmp_path / "staging/orders.parquet").stat().st_size
        assert evaluated(self.frame, checks[0])["byte_size"].description == "no byte_size is recorded"

    def test_what_cannot_be_meant(self) -> None:
        with pytest.raises(InvalidDefinitionError, match="row_count of 'orders': nothing is to be checked"):
            row_count("orders")
        with pytest.raises(InvalidDefinitionError, match="the minimum 3 is above the maximum 2"):
            byte_size("orders", minimum=3, maximum=2)


class TestFreshness:
    @pytest.mark.parametrize(
        ("latest", "fresh"),
        [
            (NOW, True),
            (NOW.replace(tzinfo=None), True),
            (NOW - 2 * DAY, False),
            (NOW.date() - DAY, True),
            (NOW.date() - 3 * DAY, False),
            (None, False),
        ],
        ids=["zoned", "plain", "old", "yesterday", "old day", "null"],
    )
    def test_the_latest_row_is_recent(self, manager: Any, latest: Any, fresh: bool) -> None:
        frame = pl.DataFrame({'the "time"': [latest, None]})

        found = evaluated(frame, freshness("staging/orders", column='the "time"', max_age=1.5 * DAY), manager=manager)[
            "freshness"
        ]

        assert found.passed is fresh

    def test_a_table_without_rows_is_not_fresh(self) -> None:
        found = evaluated(pl.DataFrame(schema={"at": pl.Datetime}), freshness("staging/orders", column="at", max_age=DAY))[
            "freshness"
        ]

        assert (found.passed, found.description) == (False, "no row has a 'at'")

    def test_a_column_of_another_type_is_an_error(self) -> None:
        with pytest.raises(UnsupportedTypeError, match="the column 'at' holds values of type str, not dates or times"):
            evaluated(pl.DataFrame({"at": ["2024"]}), freshness("staging/orders", column="at", max_age=DAY))

    def test_or_it_was_made_or_seen_lately(self, instance: Instance) -> None:
        source = SourceAsset("raw/orders")
        definitions = Definitions([source], asset_checks=[freshness(source, max_age=DAY)])

        def verdict() -> AssetCheckEvaluation:
            return definitions.materialize("checks(*)", instance=instance).get_asset_check_evaluations()[0]

        assert verdict().description == "it was never materialized or observed"
        instance.report_runless_asset_event(AssetObservation(AssetKey(["raw", "orders"])))
        assert verdict().passed

    def test_what_cannot_be_meant(self) -> None:
        with pytest.raises(InvalidDefinitionError, match="freshness of 'orders': max_age is 3"):
            freshness("orders", max_age=3)


class TestSchema:
    def test_the_columns_are_those_that_were_recorded(self, manager: Any, instance: Instance) -> None:
        check = schema_unchanged("staging/orders")
        before, after = pl.DataFrame({"id": [1], "day": ["mon"]}), pl.DataFrame({"id": ["1"]})
        first = evaluated(before, check, manager=manager, instance=instance)["schema_unchanged"]
        same = evaluated(before.select("day", "id"), check, manager=manager, instance=instance)["schema_unchanged"]
        changed = evaluated(after, check, manager=manager, instance=instance)["schema_unchanged"]

        assert (first.passed, first.description) == (True, "no schema was recorded before")
        keeps_no_schema = isinstance(manager, InMemoryIOManager)
        assert (same.passed, changed.passed) == (True, keeps_no_schema)

    def test_changes_are_named(self, tmp_path: Path, instance: Instance) -> None:
        store = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))
        check = schema_unchanged("staging/orders")
        evaluated(pl.DataFrame({"id": [1], "day": ["mon"]}), check, manager=store, instance=instance)

        found = evaluated(pl.DataFrame({"id": ["1"], "note": [1]}), check, manager=store, instance=instance)

        assert found["schema_unchanged"].description == (
            "the column 'day' is missing; the column 'note' is new; the column 'id' is VARCHAR, not BIGINT"
        )

    @pytest.mark.parametrize(
        ("columns", "description"),
        [
            ({"day": "VARCHAR", "id": "BIGINT"}, None),
            ({"id": None, "day": None}, None),
            (
                TableSchema((TableColumn("id", "INTEGER"), TableColumn("day", "VARCHAR"))),
                "the column 'id' is BIGINT, not INTEGER",
            ),
            ({"id": "BIGINT"}, "the column 'day' is new"),
        ],
        ids=["order", "names", "type", "new"],
    )
    def test_or_those_that_are_declared(self, tmp_path: Path, columns: Any, description: str | None) -> None:
        store = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))
        frame = pl.DataFrame({"id": [1], "day": ["mon"]})

        found = evaluated(frame, schema_unchanged("staging/orders", columns), manager=store)["schema_unchanged"]

        assert (found.passed, found.description) == (description is None, description)

    def test_what_cannot_be_meant(self) -> None:
        with pytest.raises(InvalidDefinitionError, match="the schema has no columns"):
            schema_unchanged("orders", {})


def test_a_made_asset_is_checked_again_alone(instance: Instance) -> None:
    instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders"), metadata={"byte_size": 7}))
    definitions = Definitions([SourceAsset("orders")], asset_checks=[byte_size("orders", maximum=6)])

    [found] = definitions.materialize("checks(*)", instance=instance).get_asset_check_evaluations()

    assert (found.passed, found.description) == (False, "7 bytes: at most 6 are expected")
