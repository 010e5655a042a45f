"""Earlier states of tables: which one is meant by a run, a time or a name, and what going back to one means for the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from io_managers import DuckDBIOManager, InMemoryIOManager, ParquetIOManager
from warehouse_assets import AssetKey, Definitions, InProcessExecutor, Instance, RunResult, TableOptions, asset, materialize
from warehouse_assets.errors import TableNotFoundError, UnsupportedTypeError
from warehouse_assets.execution.table_versions import kept_versions, roll_back, version_as_of
from warehouse_assets.execution.tables import StoredTables

NUMBERS = AssetKey("numbers")


class Shop:
    """Two assets in a store: `numbers`, whose rows are as many as it is told, and `total`, which is made from it."""

    def __init__(self, manager: Any, instance: Instance) -> None:
        self.rows, self.instance, self.resources = 0, instance, {"io_manager": manager}

        @asset(table=TableOptions(keep_versions=3), data_version="content")
        def numbers() -> pl.DataFrame:
            return pl.DataFrame({"n": range(self.rows)})

        @asset(code_version="1")
        def total(numbers: pl.DataFrame) -> pl.DataFrame:
            return numbers.sum()

        @asset(deps=[numbers])
        def earlier(context: Any) -> pl.DataFrame:
            rows = context.load_asset_value("numbers", as_type=pl.DataFrame, as_of=self.first)
            return pl.DataFrame({"rows": [rows.height]})

        self.assets = [numbers, total, earlier]
        self.definitions = Definitions(self.assets, resources=self.resources)
        self.first = ""

    def make(self, rows: int, *names: str) -> RunResult:
        self.rows = rows
        selection = list(names) or ["numbers", "total"]
        return materialize(
            self.assets, instance=self.instance, resources=self.resources, selection=selection, executor=InProcessExecutor()
        )

    def rows_as_of(self, as_of: Any = None, **part: Any) -> int:
        frame = self.definitions.load_asset_value("numbers", as_type=pl.DataFrame, instance=self.instance, as_of=as_of, **part)
        return int(frame.height)

    def with_tables(self, use: Callable[[StoredTables], Any]) -> Any:
        with self.definitions.stored_tables(instance=self.instance) as tables:
            return use(tables)

    def versions(self) -> Any:
        return self.with_tables(lambda tables: kept_versions(tables, NUMBERS))

    def roll_back(self, to: Any = None) -> Any:
        return self.with_tables(lambda tables: roll_back(tables, NUMBERS, to, self.instance))

    def states(self) -> dict[str, str]:
        return {key.path[0]: status.state for key, status in self.definitions.status(instance=self.instance).items()}


@pytest.fixture(params=["duckdb", "parquet"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, instance: Instance) -> Shop:
    stores: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: DuckDBIOManager(database=str(tmp_path / "w.duckdb")),
        "parquet": lambda: ParquetIOManager(base_path=str(tmp_path)),
    }
    return Shop(stores[request.param](), instance)


def test_a_run_a_version_and_a_time_name_the_state_they_made(shop: Shop) -> None:
    runs = [shop.make(rows) for rows in (1, 2, 3)]
    versions = shop.versions()

    assert [version.run_id for version in versions] == [run.run_id for run in runs]
    assert [shop.rows_as_of(run.run_id) for run in runs] == [1, 2, 3]
    assert [shop.rows_as_of(version.version) for version in versions] == [1, 2, 3]
    assert [shop.rows_as_of(version.timestamp) for version in versions] == [1, 2, 3]
    assert shop.rows_as_of() == 3


def test_a_time_without_zone_is_utc_and_with_one_is_that(shop: Shop) -> None:
    for rows in (1, 2):
        shop.make(rows)
    first, second = (version.timestamp for version in shop.versions())
    east = timezone(timedelta(hours=9))
    just_before = second.astimezone(UTC) - timedelta(microseconds=1)

    assert shop.rows_as_of(first.astimezone(UTC).replace(tzinfo=None)) == 1
    assert shop.rows_as_of(second.astimezone(east)) == 2
    assert shop.rows_as_of(just_before) == 1
    assert shop.rows_as_of(datetime.fromisoformat("2999-01-01")) == 2


def test_a_time_may_be_text_and_a_day_is_its_beginning(shop: Shop) -> None:
    for rows in (1, 2):
        shop.make(rows)
    first = shop.versions()[0].timestamp
    day = first.astimezone(UTC).date()

    assert shop.rows_as_of(first.isoformat()) == 1
    assert shop.rows_as_of(day + timedelta(days=2)) == 2
    assert shop.rows_as_of(str(day + timedelta(days=2))) == 2
    with pytest.raises(TableNotFoundError, match=f"has none at {day}T00:00:00"):
        shop.rows_as_of(day)


def test_parts_of_an_earlier_state_are_read(shop: Shop) -> None:
    first = shop.make(5)
    shop.make(1)

    assert shop.rows_as_of(first.run_id, columns=["n"], where="n > 1") == 3
    assert shop.rows_as_of(first.run_id, limit=2) == 2


def test_an_asset_reads_an_earlier_state_of_another(shop: Shop) -> None:
    shop.first = shop.make(4).run_id
    shop.make(1)
    shop.make(1, "earlier")

    assert shop.definitions.load_asset_value("earlier", as_type=pl.DataFrame, instance=shop.instance).item() == 4


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        ("nothing", r"asset 'numbers' has no version 'nothing'. It has .* UTC\)"),
        (99999, "has no version '99999'"),
        (datetime.fromisoformat("2020-01-01"), r"has none at 2020-01-01T00:00:00\+00:00"),
        ("'; drop table numbers; --", "has no version"),
    ],
    ids=["name", "number", "time", "sql"],
)
def test_a_state_that_is_not_kept_is_an_error_that_names_those_that_are(shop: Shop, as_of: Any, message: str) -> None:
    shop.make(1)
    for act in (shop.rows_as_of, shop.roll_back):
        with pytest.raises(TableNotFoundError, match=message):
            act(as_of)

    assert [version.row_count for version in shop.versions()] == [1]


def test_what_a_run_made_and_is_kept_no_more_is_said_so(shop: Shop) -> None:
    first = shop.make(1)
    for rows in (2, 3, 4):
        shop.make(rows)

    with pytest.raises(TableNotFoundError, match=f"any more, which run '{first.run_id}' made"):
        shop.rows_as_of(first.run_id)


def test_a_run_that_did_not_make_the_table_is_an_error(shop: Shop) -> None:
    shop.make(1)
    other = shop.make(1, "total")

    with pytest.raises(TableNotFoundError, match=f"has no version '{other.run_id}'"):
        shop.rows_as_of(other.run_id)


@pytest.mark.parametrize("as_of", [True, 1.5, ["1"]], ids=str)
def test_what_names_no_version_is_an_error(shop: Shop, as_of: Any) -> None:
    shop.make(1)
    with pytest.raises(UnsupportedTypeError, match="which names no version of 'numbers'"):
        shop.rows_as_of(as_of)


def test_a_store_without_versions_says_which_have_them(instance: Instance) -> None:
    @asset
    def numbers() -> pl.DataFrame:
        return pl.DataFrame({"n": [1]})

    definitions = Definitions([numbers], resources={"io_manager": InMemoryIOManager()})
    with pytest.raises(UnsupportedTypeError, match="InMemoryIOManager, which keeps asset 'numbers', keeps no earlier versions"):
        definitions.load_asset_value("numbers", instance=instance, as_of="1")


def test_a_table_that_was_never_made_and_an_asset_that_is_not_there_are_errors(shop: Shop) -> None:
    for act in (shop.versions, shop.roll_back, lambda: shop.rows_as_of("1")):
        with pytest.raises(TableNotFoundError):
            act()
    with pytest.raises(TableNotFoundError, match="there is no asset 'nubmers'"):
        shop.with_tables(lambda tables: version_as_of(tables, AssetKey("nubmers"), "1", None))


def test_going_back_is_recorded_as_a_write_without_a_run(shop: Shop) -> None:
    for rows in (1, 2):
        shop.make(rows)
    before = shop.versions()
    state, record = shop.roll_back()
    [event] = shop.instance.get_event_records(asset_key=NUMBERS, event_types="ASSET_MATERIALIZATION", ascending=False, limit=1)

    assert state == before[0]
    assert event.asset_materialization == record
    assert record.metadata["rolled_back_to"].value == before[0].version
    assert record.metadata["row_count"].value == 1
    assert record.metadata["table_version"].value == shop.versions()[-1].version
    assert shop.rows_as_of() == 1


def test_going_back_takes_the_last_state_before_unless_told_and_is_undone_by_name(shop: Shop) -> None:
    runs = [shop.make(rows) for rows in (1, 2, 3)]
    left = shop.versions()[-1]
    shop.roll_back()
    back = shop.rows_as_of()
    shop.roll_back(left.version)
    undone = shop.rows_as_of()
    shop.roll_back(runs[2].run_id)

    assert (back, undone, shop.rows_as_of()) == (2, 3, 3)


def test_there_is_no_state_before_the_first(shop: Shop) -> None:
    shop.make(1)
    with pytest.raises(TableNotFoundError, match="no version before the present one"):
        shop.roll_back()


def test_what_is_made_from_a_table_is_stale_once_it_goes_back_and_fresh_once_it_comes_again(shop: Shop) -> None:
    for rows in (1, 2):
        shop.make(rows)
    left = shop.versions()[-1]
    before = shop.states()
    shop.roll_back()
    after = shop.states()
    shop.roll_back(left.version)

    assert (before["numbers"], before["total"]) == ("fresh", "fresh")
    assert (after["numbers"], after["total"]) == ("fresh", "stale")
    assert shop.states()["total"] == "fresh"


def test_what_is_stale_after_going_back_is_made_from_the_state_that_is_back(shop: Shop) -> None:
    for rows in (2, 3):
        shop.make(rows)
    shop.roll_back()
    run = materialize(
        shop.assets[:2], instance=shop.instance, resources=shop.resources, only_stale=True, executor=InProcessExecutor()
    )

    assert run.steps("success") == ["total"]
    assert shop.definitions.load_asset_value("total", as_type=pl.DataFrame, instance=shop.instance).item() == 1
