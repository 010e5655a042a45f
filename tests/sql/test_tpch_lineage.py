"""The lineage of the 22 queries of TPC-H, column by column, as it was worked out by hand, and as DuckDB reads their columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse_assets.sql.lineage import OutputColumn, QueryLineage, column_lineage

FOLDER = Path(__file__).parents[2] / "examples" / "tpch" / "queries"
QUERIES = {file.stem: file.read_text() for file in sorted(FOLDER.glob("*.sql"))}

TABLES = {
    "part": "p_partkey p_name p_mfgr p_brand p_type p_size p_container p_retailprice p_comment",
    "supplier": "s_suppkey s_name s_address s_nationkey s_phone s_acctbal s_comment",
    "partsupp": "ps_partkey ps_suppkey ps_availqty ps_supplycost ps_comment",
    "customer": "c_custkey c_name c_address c_nationkey c_phone c_acctbal c_mktsegment c_comment",
    "orders": "o_orderkey o_custkey o_orderstatus o_totalprice o_orderdate o_orderpriority o_clerk o_shippriority o_comment",
    "lineitem": "l_orderkey l_partkey l_suppkey l_linenumber l_quantity l_extendedprice l_discount l_tax l_returnflag l_linestatus "
    "l_shipdate l_commitdate l_receiptdate l_shipinstruct l_shipmode l_comment",
    "nation": "n_nationkey n_name n_regionkey n_comment",
    "region": "r_regionkey r_name r_comment",
}
SCHEMA = {("tpch", table): columns.split() for table, columns in TABLES.items()}

# Each column of the answer, with what it is made from where that is not a column of its name; after the bar what chooses rows.
EXPECTED = {
    "q01": "l_returnflag l_linestatus sum_qty=agg(l_quantity) sum_base_price=agg(l_extendedprice) sum_disc_price=agg(l_discount,l_extendedprice) sum_charge=agg(l_discount,l_extendedprice,l_tax) avg_qty=agg(l_quantity) avg_price=agg(l_extendedprice) avg_disc=agg(l_discount) count_order=agg() | l_linestatus l_returnflag l_shipdate",
    "q02": "s_acctbal s_name n_name p_partkey p_mfgr s_address s_phone s_comment | n_name n_nationkey n_regionkey p_partkey p_size p_type ps_partkey ps_suppkey ps_supplycost r_name r_regionkey s_acctbal s_name s_nationkey s_suppkey",
    "q03": "l_orderkey revenue=agg(l_discount,l_extendedprice) o_orderdate o_shippriority | c_custkey c_mktsegment l_discount l_extendedprice l_orderkey l_shipdate o_custkey o_orderdate o_orderkey o_shippriority",
    "q04": "o_orderpriority order_count=agg() | l_commitdate l_orderkey l_receiptdate o_orderdate o_orderkey o_orderpriority",
    "q05": "n_name revenue=agg(l_discount,l_extendedprice) | c_custkey c_nationkey l_orderkey l_suppkey n_name n_nationkey n_regionkey o_custkey o_orderdate o_orderkey r_name r_regionkey s_nationkey s_suppkey",
    "q06": "revenue=agg(l_discount,l_extendedprice) | l_discount l_quantity l_shipdate",
    "q07": "supp_nation=n_name cust_nation=n_name l_year=f(l_shipdate) revenue=agg(l_discount,l_extendedprice) | c_custkey c_nationkey l_orderkey l_shipdate l_suppkey n_name n_nationkey o_custkey o_orderkey s_nationkey s_suppkey",
    "q08": "o_year=f(o_orderdate) mkt_share=agg(l_discount,l_extendedprice,n_name) | c_custkey c_nationkey l_orderkey l_partkey l_suppkey n_nationkey n_regionkey o_custkey o_orderdate o_orderkey p_partkey p_type r_name r_regionkey s_nationkey s_suppkey",
    "q09": "nation=n_name o_year=f(o_orderdate) sum_profit=agg(l_discount,l_extendedprice,l_quantity,ps_supplycost) | l_orderkey l_partkey l_suppkey n_name n_nationkey o_orderdate o_orderkey p_name p_partkey ps_partkey ps_suppkey s_nationkey s_suppkey",
    "q10": "c_custkey c_name revenue=agg(l_discount,l_extendedprice) c_acctbal n_name c_address c_phone c_comment | c_acctbal c_address c_comment c_custkey c_name c_nationkey c_phone l_discount l_extendedprice l_orderkey l_returnflag n_name n_nationkey o_custkey o_orderdate o_orderkey",
    "q11": "ps_partkey value=agg(ps_availqty,ps_supplycost) | n_name n_nationkey ps_availqty ps_partkey ps_suppkey ps_supplycost s_nationkey s_suppkey",
    "q12": "l_shipmode high_line_count=agg(o_orderpriority) low_line_count=agg(o_orderpriority) | l_commitdate l_orderkey l_receiptdate l_shipdate l_shipmode o_orderkey",
    "q13": "c_count=agg(o_orderkey) custdist=agg() | c_custkey o_comment o_custkey o_orderkey",
    "q14": "promo_revenue=agg(l_discount,l_extendedprice,p_type) | l_partkey l_shipdate p_partkey",
    "q15": "s_suppkey s_name s_address s_phone total_revenue=agg(l_discount,l_extendedprice) | l_discount l_extendedprice l_shipdate l_suppkey s_suppkey",
    "q16": "p_brand p_type p_size supplier_cnt=agg(ps_suppkey) | p_brand p_partkey p_size p_type ps_partkey ps_suppkey s_comment s_suppkey",
    "q17": "avg_yearly=agg(l_extendedprice) | l_partkey l_quantity p_brand p_container p_partkey",
    "q18": "c_name c_custkey o_orderkey o_orderdate o_totalprice sum_qty=agg(l_quantity) | c_custkey c_name l_orderkey l_quantity o_custkey o_orderdate o_orderkey o_totalprice",
    "q19": "revenue=agg(l_discount,l_extendedprice) | l_partkey l_quantity l_shipinstruct l_shipmode p_brand p_container p_partkey p_size",
    "q20": "s_name s_address | l_partkey l_quantity l_shipdate l_suppkey n_name n_nationkey p_name p_partkey ps_availqty ps_partkey ps_suppkey s_nationkey s_suppkey",
    "q21": "s_name numwait=agg() | l_commitdate l_orderkey l_receiptdate l_suppkey n_name n_nationkey o_orderkey o_orderstatus s_name s_nationkey s_suppkey",
    "q22": "cntrycode=f(c_phone) numcust=agg() totacctbal=agg(c_acctbal) | c_acctbal c_custkey c_phone o_custkey",
}


def lineage_of(name: str) -> QueryLineage:
    return column_lineage(QUERIES[name], schema_of=SCHEMA)


def shown(column: OutputColumn) -> str:
    words = {"derived": "f", "aggregated": "agg"}
    sources = ",".join(sorted(source.column for source in column.sources))
    if column.kind == "direct":
        return column.name if sources == column.name else f"{column.name}={sources}"
    return f"{column.name}={words[column.kind]}({sources})"


def kind_of(column: str) -> tuple[str, str]:
    """The type of a column, and a value of it for the row `i`."""
    if column.endswith("date"):
        return "date", "date '1992-01-01' + (i * 37 % 2500)::integer"
    if column.endswith(("price", "cost", "bal", "quantity", "discount", "tax")):
        return "decimal(15, 2)", "i % 97"
    if column.endswith(("key", "number", "size", "qty", "shippriority")):
        return "bigint", "i % 7"
    return "varchar", "chr(65 + (i % 26)::integer) || i"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema tpch")
        for table, columns in TABLES.items():
            rows = ", ".join(f"({kind_of(name)[1]})::{kind_of(name)[0]} as {name}" for name in columns.split())
            connection.execute(f"create table tpch.{table} as select {rows} from range(500) r(i)")
        connection.execute("set disabled_optimizers = 'statistics_propagation'")  # which sees that no row is of these countries
        yield connection


def columns_read(connection: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    """The columns that DuckDB reads to answer a query, once it has left out all that do not matter."""
    [(_, text)] = connection.execute(f"explain (format json) {query}").fetchall()
    found: set[str] = set()
    stack: list[dict[str, Any]] = json.loads(text)
    while stack:
        node = stack.pop()
        stack += node.get("children", [])
        info = node.get("extra_info", {})
        if "Table" in info:
            named = json.dumps([info.get("Projections"), info.get("Filters")])
            found |= {name for name in TABLES[info["Table"].rpartition(".")[2]].split() if re.search(rf"\b{name}\b", named)}
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_what_each_column_of_an_answer_is_made_from(name: str) -> None:
    lineage = lineage_of(name)
    columns, _, rows = EXPECTED[name].partition(" | ")

    assert (" ".join(map(shown, lineage.columns)), lineage.is_complete) == (columns, True)
    assert " ".join(sorted({source.column for source in lineage.rows})) == rows


@pytest.mark.parametrize("name", EXPECTED)
def test_the_engine_reads_these_columns_for_each_column_and_no_others(name: str, connection: duckdb.DuckDBPyConnection) -> None:
    unordered = re.sub(r"\norder by [^()]*$", "", QUERIES[name]) if "\nlimit" not in QUERIES[name] else QUERIES[name]
    lineage = lineage_of(name)
    told = {
        column.name: {source.column for source in column.sources | column.conditions | lineage.rows}
        for column in lineage.columns
    }
    read = {column: columns_read(connection, f'select "{column}" from ({unordered})') for column in told}

    assert told == read


def test_all_queries_are_there() -> None:
    assert [*EXPECTED] == [*QUERIES]
