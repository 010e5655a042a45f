"""The promises of managers that keep views too, and of those that do not."""

from __future__ import annotations

import threading
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from warehouse_assets.errors import (
    InvalidDefinitionError,
    InvalidSQLError,
    TableError,
    UnsupportedTypeError,
)
from warehouse_assets.io_manager import ChecksAssets, DropsTables, InputContext, IOManager, OutputContext, StagesTables
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions
from warehouse_assets.tables import Table
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.use import KEY, ORDERS, Partitions, load, output_context, source, store

__all__ = ["ViewContract"]

_VIEW: dict[str, Any] = {"table_options": TableOptions(materialized="view")}
_MADE = AssetKey(["marts", "made"])
_TOP = AssetKey(["marts", "top"])

_IDS = "select id, kind from shop.orders where id > 1"
_HOSTILE_KEYS = [AssetKey(["a b", 'c"d']), AssetKey(["x.y", "select"]), AssetKey(["s", "it's; drop table -- `q`"])]
_REGIONS = Partitions(StaticPartitionsDefinition(["eu", "us"]), "region")


class ViewContract(Contract):
    """A query is kept in place of its rows, where the asset says so."""

    @pytest.fixture
    def upstream(self, manager: IOManager) -> dict[AssetKey, Any]:
        """The table that the views read."""
        store(manager, ORDERS)
        return {KEY: source(manager, KEY)}

    def test_a_view_shows_what_its_tables_hold_now(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        recorded = store(manager, SQL(_IDS), _MADE, sources=upstream, **_VIEW)
        first = load(manager, pl.DataFrame, _MADE).sort("id").rows()
        store(manager, ORDERS.tail(1))

        assert first == [(2, "b"), (3, None)]
        assert load(manager, pl.DataFrame, _MADE).rows() == [(3, None)]
        assert recorded["column_schema"].names == ("id", "kind")
        assert not recorded.keys() & {"row_count", "byte_size", "partition_row_count"}

    @pytest.mark.parametrize(
        "kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader], ids=lambda kind: kind.__name__
    )
    def test_a_view_is_read_as_a_table_is(self, manager: IOManager, upstream: dict[AssetKey, Any], kind: type) -> None:
        store(manager, SQL(_IDS), _MADE, sources=upstream, **_VIEW)
        found: Any = load(manager, kind, _MADE, columns=["id"])
        frame = found.collect() if isinstance(found, pl.LazyFrame) else pl.DataFrame(found)

        assert sorted(frame.rows()) == [(2,), (3,)]

    def test_a_view_and_a_table_take_each_others_place(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        rows, seen = [], []
        for options, made in [
            ({}, SQL(_IDS)), (_VIEW, SQL(_IDS)), (_VIEW, SQL("select amount from shop.orders")), ({}, ORDERS), (_VIEW, SQL(_IDS)),
        ]:  # fmt: skip
            rows.append(store(manager, made, _MADE, sources=upstream, **options).get("row_count"))
            seen.append(load(manager, pl.DataFrame, _MADE).shape)

        assert rows == [2, None, None, 3, None]
        assert seen == [(2, 2), (2, 2), (3, 1), (3, 3), (2, 2)]

    def test_a_view_that_cannot_be_made_leaves_what_is_there(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        for options, before in [({}, ORDERS), (_VIEW, SQL(_IDS))]:
            store(manager, before, _MADE, sources=upstream, **options)
            shape = load(manager, pl.DataFrame, _MADE).shape
            with pytest.raises(InvalidSQLError, match="amonut"):
                store(manager, SQL("select amonut from shop.orders"), _MADE, sources=upstream, **_VIEW)

            assert load(manager, pl.DataFrame, _MADE).shape == shape

    def test_a_view_that_is_not_published_leaves_what_is_there(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        store(manager, ORDERS, _MADE)
        assert isinstance(manager, StagesTables)
        heights = []

        def refused() -> None:
            with manager.stage(output_context(_MADE, sources=upstream, **_VIEW), SQL(_IDS)) as staged:
                heights.append(staged.load_input(InputContext(_MADE, type_hint=pl.DataFrame)).height)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            refused()

        assert heights == [2]
        assert load(manager, pl.DataFrame, _MADE).height == 3

    def test_a_view_of_a_view_lives_on_when_what_is_below_is_replaced(
        self, manager: IOManager, upstream: dict[AssetKey, Any]
    ) -> None:
        store(manager, SQL(_IDS), _MADE, sources=upstream, **_VIEW)
        above = {_MADE: source(manager, _MADE)}
        store(manager, SQL("select id from marts.made"), _TOP, sources=above, **_VIEW)
        for options, below in [({}, SQL(_IDS)), (_VIEW, SQL("select kind, id, amount from shop.orders"))]:
            store(manager, below, _MADE, sources=upstream, **options)
            store(manager, ORDERS.with_columns(more=pl.lit(True)).sample(fraction=1))
            store(manager, ORDERS)

        assert sorted(load(manager, pl.DataFrame, _TOP)["id"]) == [1, 2, 3]

    def test_a_view_whose_columns_are_gone_says_so(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        store(manager, SQL(_IDS), _MADE, sources=upstream, **_VIEW)

        def read_later() -> None:
            store(manager, ORDERS.drop("kind"))
            load(manager, pl.DataFrame, _MADE)

        with pytest.raises(TableError, match=r"kind|made"):
            read_later()

        store(manager, SQL("select id from shop.orders"), _MADE, sources=upstream, **_VIEW)

        assert load(manager, pl.DataFrame, _MADE).height == 3

    def test_a_view_can_be_dropped(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        store(manager, SQL(_IDS), _MADE, sources=upstream, **_VIEW)
        assert isinstance(manager, DropsTables)

        assert manager.drop(output_context(_MADE)) is True
        assert manager.drop(output_context(_MADE)) is False
        assert load(manager, pl.DataFrame).height == 3

    def test_views_have_hostile_names(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        for key in _HOSTILE_KEYS:
            store(manager, SQL(_IDS), key, sources=upstream, **_VIEW)
            store(manager, SQL("select id from {t}", t=Table(key)), _TOP, sources={key: source(manager, key)}, **_VIEW)

            assert load(manager, pl.DataFrame, _TOP).height == 2

    def test_readers_see_the_one_or_the_other(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        store(manager, SQL(_IDS), _MADE, sources=upstream)
        stop, faults, heights = threading.Event(), [], set()

        def read() -> None:
            while not stop.is_set():
                try:
                    heights.add(load(manager, pl.DataFrame, _MADE).height)
                except Exception as error:  # noqa: BLE001
                    faults.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        for options in [_VIEW, {}] * 4:
            store(manager, SQL(_IDS), _MADE, sources=upstream, **options)
        stop.set()
        reader.join()

        assert (faults, heights) == ([], {2})

    def test_what_a_view_cannot_keep_is_refused(self, manager: IOManager, upstream: dict[AssetKey, Any]) -> None:
        elsewhere = AssetKey(["names", "english"])
        regions = source(manager, KEY, _REGIONS("eu"))
        for value, sources, error, message in [
            (ORDERS, upstream, UnsupportedTypeError, "is a view, which is made of SQL, and got a DataFrame"),
            (SQL(f"{_IDS} and id < {{n}}", n=3), upstream, InvalidSQLError, "keeps one query and no bound values"),
            (
                SQL("select * from names.english"),
                {elsewhere: source(_Elsewhere(), elsewhere)},
                InvalidSQLError,
                "another store",
            ),
            (SQL("select * from marts.made"), {_MADE: source(manager, _MADE)}, InvalidSQLError, "reads the view itself"),
            (SQL(_IDS), {KEY: regions}, InvalidSQLError, "some partitions of it, and a view reads whole tables"),
        ]:
            with pytest.raises(error, match=message):
                store(manager, value, _MADE, sources=sources, **_VIEW)

    def test_a_view_of_a_table_with_partitions_reads_all_of_them(self, manager: IOManager) -> None:
        regions = pl.DataFrame({"region": ["eu", "us"], "n": [1, 2]})
        store(manager, regions, partitions=_REGIONS("eu", "us"))
        sources = {KEY: source(manager, KEY, _REGIONS("eu", "us"))}
        store(manager, SQL("select n from shop.orders"), _MADE, sources=sources, **_VIEW)

        assert sorted(load(manager, pl.DataFrame, _MADE)["n"]) == [1, 2]

    def test_a_view_has_no_partitions(self, manager: IOManager) -> None:
        assert isinstance(manager, ChecksAssets)
        with pytest.raises(
            InvalidDefinitionError, match="asset 'marts/made' is a view, which holds no rows, and has partitions"
        ):
            manager.check_asset(_MADE, _VIEW, _REGIONS.definition)


class _Elsewhere(IOManager):
    """A store of its own."""

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        raise NotImplementedError

    def load_input(self, context: InputContext) -> Any:
        raise NotImplementedError
