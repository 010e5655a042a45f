"""Partitions of whole values, in memory and as pickles, and values that are shown before they are stored."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from io_managers.fsspec import FsspecIOManager
from io_managers.memory import InMemoryIOManager
from warehouse_assets.errors import (
    InvalidDefinitionError,
    OutsidePartitionError,
    TableError,
    TableNotFoundError,
    UnsupportedTypeError,
)
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import BY_DAY, KEY, Partitions, days, load, output_context, source, store

pytestmark = pytest.mark.semantics(40, 44)

MON, TUE, WED = "2024-01-01", "2024-01-02", "2024-01-03"
NAMES = ["it's", 'say "hi"', "a/b", "a\\b", "..", ".", "x=1", "50 %", "a%2Fb", "ünï 表 😀", "A", "a", "y" * 300, "y" * 301]
BY_NAME = Partitions(StaticPartitionsDefinition(NAMES), "name")


def untold(manager, value, *keys):
    """Store partitions of an asset that does not say which column tells them."""
    context = OutputContext(KEY, partitions_def=BY_DAY.definition, partition_keys=keys)
    manager.handle_output(context, value)
    return {name: value.value for name, value in context.output_metadata.items()}


@pytest.fixture(params=["memory", "pickle", "pickle elsewhere"])
def manager(request, tmp_path):
    if request.param == "memory":
        yield InMemoryIOManager()
    elif request.param == "pickle":
        yield FsspecIOManager(base_path=str(tmp_path / "values"))
    else:
        import fsspec

        yield FsspecIOManager(base_path="memory://values")
        fsspec.filesystem("memory").store.clear()


def test_a_partition_is_its_value(manager):
    untold(manager, {"n": 1}, MON)
    untold(manager, {"n": 2}, TUE)
    untold(manager, {"n": 10}, MON)

    assert [load(manager, partitions=BY_DAY(day)) for day in (MON, TUE)] == [{"n": 10}, {"n": 2}]


def test_several_partitions_are_a_dict(manager):
    untold(manager, "one", MON)
    untold(manager, "two", TUE)

    assert load(manager, partitions=BY_DAY(TUE, MON)) == {TUE: "two", MON: "one"}
    assert load(manager, dict, partitions=BY_DAY(TUE, MON)) == {TUE: "two", MON: "one"}


def test_several_partitions_are_one_table_where_a_frame_is_asked_for(manager):
    untold(manager, days(d1=1), MON)
    untold(manager, days(d2=2).select(n=pl.col("n").cast(pl.Int32), day="day", more=pl.lit("x")).to_arrow(), TUE)
    both = pl.DataFrame({"day": [*days(d1=1)["day"], *days(d2=2)["day"]], "n": [1, 2], "more": [None, "x"]})

    assert_frame_equal(load(manager, pl.DataFrame, partitions=BY_DAY(MON, TUE)), both)
    assert_frame_equal(load(manager, pl.LazyFrame, partitions=BY_DAY(MON, TUE)).collect(), both)
    assert_frame_equal(pl.DataFrame(load(manager, pa.Table, partitions=BY_DAY(MON, TUE), columns=["n"])), both.select("n"))
    assert_frame_equal(load(manager), both)


def test_an_annotation_may_ask_for_a_frame_of_each_partition(manager):
    store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
    several = load(manager, dict[str, pl.LazyFrame], partitions=BY_DAY(MON, TUE))
    one = load(manager, dict[str, pl.LazyFrame], partitions=BY_DAY(MON))

    assert {day: lazy.collect()["n"].to_list() for day, lazy in several.items()} == {MON: [1], TUE: [2]}
    assert list(one) == [MON]


def test_no_partition_is_an_empty_dict_or_an_empty_table(manager):
    assert load(manager, partitions=BY_DAY()) == {}
    assert load(manager, pl.DataFrame, partitions=BY_DAY()).shape == (0, 0)

    store(manager, days(d1=1), partitions=BY_DAY(MON))

    assert load(manager, partitions=BY_DAY()) == {}
    assert_frame_equal(load(manager, pl.DataFrame, partitions=BY_DAY()), days())


def test_a_partition_that_was_never_written_is_named_or_has_no_rows(manager):
    with pytest.raises(TableNotFoundError, match=r"asset 'orders' \(shop\.py:1\)"):
        load(manager, pl.DataFrame, partitions=BY_DAY(MON))

    store(manager, days(d1=1), partitions=BY_DAY(MON))

    assert_frame_equal(load(manager, pl.DataFrame, partitions=BY_DAY(TUE)), days())
    assert_frame_equal(load(manager, pl.DataFrame, partitions=BY_DAY(MON, TUE)), days(d1=1))
    with pytest.raises(TableNotFoundError, match=r"'2024-01-02'.*asset 'orders' \(shop\.py:1\)"):
        load(manager, partitions=BY_DAY(MON, TUE))


def test_several_partitions_are_written_as_a_dict(manager):
    untold(manager, {MON: 1, TUE: None}, MON, TUE)

    assert load(manager, partitions=BY_DAY(MON, TUE)) == {MON: 1, TUE: None}
    with pytest.raises(UnsupportedTypeError, match=r"'shop/orders' returned .* dict for the 2 partitions .*partition_expr"):
        untold(manager, {MON: 1}, MON, TUE)


@pytest.mark.parametrize("form", ["eager", "lazy", "arrow", "pandas", "sql"])
def test_several_partitions_are_written_as_a_frame_whose_rows_tell(manager, form):
    frame = days(d2=2, d1=1)
    pandas = frame.with_columns(pl.col("day").cast(pl.String)).to_pandas() if form == "pandas" else None
    forms = {"eager": frame, "lazy": frame.lazy(), "arrow": frame.to_arrow(), "pandas": pandas}
    sql = SQL("from (values ('2024-01-02'::date, 2), ('2024-01-01'::date, 1)) as t(day, n)")
    recorded = store(manager, sql if form == "sql" else forms[form], partitions=BY_DAY(MON, TUE, WED))

    assert load(manager, pl.DataFrame, partitions=BY_DAY(MON))["n"].to_list() == [1]
    assert [len(value) for value in load(manager, partitions=BY_DAY(TUE, WED)).values()] == [1, 0]
    assert recorded["partition_row_count"] == 2


def test_rows_outside_of_the_partition_are_an_error(manager):
    with pytest.raises(OutsidePartitionError, match=r"'shop/orders' .*'day' is '2024-01-02'.*outside of .*'2024-01-01'"):
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON))

    with pytest.raises(TableNotFoundError):
        load(manager)


def test_partitions_may_be_called_anything(manager):
    for number, name in enumerate(NAMES):
        store(manager, number, partitions=BY_NAME(name))

    assert [load(manager, partitions=BY_NAME(name)) for name in NAMES] == list(range(len(NAMES)))


def test_partitions_have_several_dimensions(manager):
    both = Partitions(MultiPartitionsDefinition({"time": BY_DAY.definition, "name": BY_NAME.definition}), {})
    for number, name in enumerate(NAMES):
        context = OutputContext(KEY, partitions_def=both.definition, partition_keys=[f"{name}|{MON}"])
        manager.handle_output(context, number)

    assert [load(manager, partitions=both(f"{name}|{MON}")) for name in NAMES] == list(range(len(NAMES)))


def test_a_whole_value_takes_the_place_of_partitions_and_not_the_other_way_round(manager):
    store(manager, days(d1=1), partitions=BY_DAY(MON))
    store(manager, "whole")

    assert load(manager) == "whole"
    for act in (lambda: untold(manager, 2, TUE), lambda: load(manager, partitions=BY_DAY(MON))):
        with pytest.raises(TableError, match=r"'shop/orders' has partitions, and is kept .*without them"):
            act()

    assert manager.drop(OutputContext(KEY))
    untold(manager, 2, TUE)
    assert load(manager, partitions=BY_DAY(TUE)) == 2


def test_partitions_that_are_no_frames_are_not_one_value(manager):
    untold(manager, 1, MON)
    untold(manager, 2, TUE)

    with pytest.raises(TableNotFoundError, match="It is kept in partitions"):
        load(manager)
    with pytest.raises(UnsupportedTypeError, match=r"a partition of asset 'shop/orders' is a value of type int"):
        load(manager, pl.DataFrame, partitions=BY_DAY(MON, TUE))


def test_partitions_are_dropped_one_by_one(manager):
    store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
    dropped = [manager.drop(output_context(partitions=BY_DAY(MON, WED))) for _ in range(2)]

    assert dropped == [True, False]
    assert load(manager)["n"].to_list() == [2]
    assert [manager.drop(OutputContext(KEY)), manager.drop(OutputContext(KEY))] == [True, False]


def test_sql_reads_the_partitions_that_are_meant(manager):
    store(manager, days(d1=1, d2=2, d3=3), partitions=BY_DAY(MON, TUE, WED))
    found = []
    for keys in [(TUE,), (MON, WED), ()]:
        given = {KEY: source(manager, KEY, BY_DAY(*keys))}
        store(manager, SQL("select n from shop.orders order by n"), AssetKey("made"), sources=given)
        found.append(load(manager, key=AssetKey("made"))["n"].to_list())

    assert found == [[2], [1, 3], []]


def test_a_value_is_stored_as_the_block_ends(manager):
    store(manager, "old")
    context = OutputContext(KEY)
    with manager.stage(context, "new") as staged:
        seen = load(staged), load(manager)

    assert seen == ("new", "old")
    assert load(manager) == "new"


@pytest.mark.parametrize("form", ["eager", "lazy", "sql"])
def test_partitions_are_stored_as_the_block_ends(manager, form):
    store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
    new = {"eager": days(d1=10), "lazy": days(d1=10).lazy(), "sql": SQL("select date '2024-01-01' as day, 10::bigint as n")}
    with manager.stage(output_context(partitions=BY_DAY(MON)), new[form]) as staged:
        slices = [load(staged, pl.DataFrame, partitions=BY_DAY(*keys))["n"].to_list() for keys in ((MON,), (TUE,), ())]
        whole = sorted(load(staged)["n"])
        with staged.query(SQL("from shop.orders select sum(n)::int as n"), {KEY: source(manager, KEY)}) as reader:
            asked = reader.read_all()["n"].to_pylist()
        before = sorted(load(manager)["n"])

    assert (slices, whole, asked, before) == ([[10], [2], []], [2, 10], [12], [1, 2])
    assert sorted(load(manager)["n"]) == [2, 10]


@pytest.mark.parametrize("partitions", [None, BY_DAY(MON)], ids=["whole", "partition"])
def test_a_block_that_raises_leaves_the_old_value(manager, partitions):
    store(manager, days(d1=1), partitions=partitions)
    context = output_context(partitions=partitions)
    with pytest.raises(ValueError, match="half way"), manager.stage(context, days(d1=10)):
        raise ValueError("half way")

    assert_frame_equal(load(manager, partitions=partitions), days(d1=1))
    assert context.output_metadata == {}


def test_what_cannot_be_pickled_leaves_all_partitions_as_they_were(tmp_path):
    manager = FsspecIOManager(base_path=str(tmp_path))
    untold(manager, {MON: 1, TUE: 2}, MON, TUE)

    with pytest.raises(UnsupportedTypeError, match="cannot be pickled"):
        untold(manager, {MON: 10, TUE: lambda: 20}, MON, TUE)

    assert load(manager, partitions=BY_DAY(MON, TUE)) == {MON: 1, TUE: 2}


def test_a_pickle_of_a_partition_is_in_a_folder_of_its_own(tmp_path):
    manager = FsspecIOManager(base_path=str(tmp_path))
    recorded = untold(manager, days(d1=1), MON)
    found = [path for path in Path(tmp_path).rglob("*") if path.is_file()]

    assert found == [tmp_path / "shop/orders.pickle.partitions/partition=2024-01-01/data.pickle"]
    assert recorded == {"partition_row_count": 1, "byte_size": found[0].stat().st_size, "uri": str(found[0].parent.parent)}


def test_a_missing_dimension_is_an_error_on_declaration(manager):
    both = MultiPartitionsDefinition({"time": BY_DAY.definition, "name": BY_NAME.definition})
    manager.check_asset(KEY, {}, both)

    with pytest.raises(InvalidDefinitionError, match=r"'shop/orders'.*'time'.*partition_expr"):
        manager.check_asset(KEY, {"partition_expr": {"name": "name"}}, both)
