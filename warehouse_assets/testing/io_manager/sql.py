"""The promises of managers that make tables from SQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import InvalidSQLError, TableNotFoundError
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL, Identifier
from warehouse_assets.tables import Table
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.frames import HOSTILE_KEYS
from warehouse_assets.testing.io_manager.use import KEY, ORDERS, load, source, store

__all__ = ["SQLContract"]


class SQLContract(Contract):
    """Tables are made by SQL too, from tables of this store and of others."""

    RESULTS = "select interval 36 hours as span, sum(n) as total, null as nothing from range(3) t(n)"
    """A span of 36 hours, the sum of 0, 1 and 2, and a NULL, in the SQL of the store."""

    FAILS = "select cast('abc' || id as int) as id from shop.orders"
    """SQL that fails as it reads rows, with a message that holds "abc"."""

    def test_sql_reads_a_table_of_the_same_store(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        recorded = store(
            manager,
            SQL("select kind, id + {more} as id from shop.orders where id < 3 order by id", more=10),
            AssetKey("made"),
            sources={KEY: source(manager, KEY)},
        )

        assert recorded["row_count"] == 2
        assert load(manager, pl.DataFrame, AssetKey("made")).rows() == [("a", 11), ("b", 12)]

    def test_sql_reads_a_table_of_another_store(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        elsewhere = AssetKey(["names", "english"])
        store(
            manager,
            SQL(
                "select id, name, b.name as again from shop.orders join names.english a using (id) join names.english b using (id, name)"
            ),
            AssetKey("made"),
            sources={KEY: source(manager, KEY), elsewhere: source(_Elsewhere(), elsewhere)},
        )

        assert load(manager, pl.DataFrame, AssetKey("made")).rows() == [(2, "two", "two")]

    def test_statements_before_the_query_prepare_it(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        sql = SQL(
            "create temporary table few as select * from shop.orders where id < {n};\n"
            "create temporary table fewer as select id from few where id > 1; select id, {m} as m from fewer;",
            n=3,
            m=7,
        )
        for _ in range(3):
            store(manager, sql, AssetKey("made"), sources={KEY: source(manager, KEY)})

        assert load(manager, pl.DataFrame, AssetKey("made")).rows() == [(2, 7)]

    def test_statements_that_change_what_is_stored_are_refused(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        for statement in ("delete from shop.orders", "drop table shop.orders", "create table shop.more as select 1 as n"):
            with pytest.raises(InvalidSQLError, match="changes what is stored"):
                store(
                    manager,
                    SQL(f"{statement}; select id from shop.orders"),
                    AssetKey("made"),
                    sources={KEY: source(manager, KEY)},
                )

        assert load(manager, pl.DataFrame).height == 3

    def test_names_and_parts_of_a_query_are_put_in(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        odd = Identifier("odd 'name'")
        parts = [Identifier("id"), SQL("{kind} as {name}", kind="x", name=odd)]
        query = SQL("select {parts} from shop.orders where {chosen}", parts=parts, chosen=SQL("id = {n}", n=2))

        store(manager, query, AssetKey("chosen"), sources={KEY: source(manager, KEY)})

        assert load(manager, pl.DataFrame, AssetKey("chosen")).to_dicts() == [{"id": 2, "odd 'name'": "x"}]

    def test_values_are_bound_one_by_one_and_in_lists(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        where = "id in {some} and id not in {none} and id NOT IN\n{one} and not id in {none} and kind in {kinds}"
        query = SQL(
            f"select id, {{größe}} as n from shop.orders where {where}",
            größe=7,
            some=(1, 2, 3),
            none=[],
            one={1},
            kinds=["b", "it's"],
        )
        store(manager, query, AssetKey("some"), sources={KEY: source(manager, KEY)})

        assert load(manager, pl.DataFrame, AssetKey("some")).rows() == [(2, 7)]

    @pytest.mark.parametrize("end", [";", " ; -- the end\n", "\n-- the end"], ids=["semicolon", "and a comment", "comment"])
    def test_a_query_may_end_as_people_end_it(self, manager: IOManager, end: str) -> None:
        store(manager, SQL(f"select 1 as n{end}"))

        assert load(manager, pl.DataFrame).to_dicts() == [{"n": 1}]

    def test_temporary_tables_do_not_clash(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        elsewhere = AssetKey(["names", "english"])
        few = "create temporary table few as select id from shop.orders where id <= {n};"
        read = "select few.id from few left join names.english a using (id) left join names.english b using (id)"

        def made(number: int) -> int:
            sources = {KEY: source(manager, KEY), elsewhere: source(_Elsewhere(), elsewhere)}
            store(manager, SQL(few + read, n=number % 3 + 1), AssetKey(f"made_{number}"), sources=sources)
            return len(load(manager, pl.DataFrame, AssetKey(f"made_{number}")))

        with ThreadPoolExecutor(4) as pool:
            heights = [*pool.map(made, range(8))]

        assert heights == [number % 3 + 1 for number in range(8)]

    def test_sql_replaces_the_table_it_reads(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        store(manager, SQL("select id from shop.orders where id > 1 order by id"), sources={KEY: source(manager, KEY)})

        assert load(manager, pl.DataFrame)["id"].to_list() == [2, 3]

    def test_sql_results_have_types_that_frames_have(self, manager: IOManager) -> None:
        store(manager, SQL(self.RESULTS))
        [(span, total, nothing)] = load(manager, pl.DataFrame).rows()

        assert (span.total_seconds(), int(total), nothing) == (36 * 3600, 3, None)

    def test_sql_that_cannot_be_bound_is_named(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(InvalidSQLError, match=r"the SQL of asset 'made'.*amonut"):
            store(manager, SQL("select amonut from shop.orders"), AssetKey("made"), sources={KEY: source(manager, KEY)})

    def test_sql_that_fails_leaves_the_old_table(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(Exception, match="abc"):
            store(manager, SQL(self.FAILS), sources={KEY: source(manager, KEY)})

        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)

    def test_sql_over_a_missing_table_names_it(self, manager: IOManager) -> None:
        with pytest.raises(TableNotFoundError, match="orders"):
            store(manager, SQL("select * from shop.orders"), AssetKey("made"), sources={KEY: source(manager, KEY)})

    def test_sql_reads_tables_with_hostile_names(self, manager: IOManager) -> None:
        for number, key in enumerate(HOSTILE_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)
        sources = {key: source(manager, key) for key in HOSTILE_KEYS}
        found = []
        for key in HOSTILE_KEYS:
            store(manager, SQL("select number from {table}", table=Table(key)), AssetKey("made"), sources=sources)
            found.append(load(manager, pl.DataFrame, AssetKey("made")).item())

        assert found == list(range(len(HOSTILE_KEYS)))


class _Elsewhere(IOManager):
    """A store that can do nothing but stream."""

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        raise NotImplementedError

    def load_input(self, context: InputContext) -> Any:
        assert context.type_hint is pa.RecordBatchReader
        return pa.table({"id": [2], "name": ["two"]}).to_reader()
