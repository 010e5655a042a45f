from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql.test_analysis import READS
from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.analysis import read_script
from warehouse_assets.sql.skimming import skim

PLAIN: dict[str, list[str]] = {
    "select extract(hour from t) as h, trim(both ' ' from x), substring(y, 1, 2) from a": ["a"],
    "select * from a where x is distinct from y and z is not distinct from w": ["a"],
    "select a.* from a, b c, s.d as e where exists (select 1 from f where f.x = a.x)": ["a", "b", "s.d", "f"],
    "select t.* from t join u on t.limit = u.limit, v": ["t", "u", "v"],
    "select x::int, y::decimal(9, 2), '{from z}' from a -- from b": ["a"],
    "select {'k': (select max(x) from a)} as s, [(select 1 from b)] as l from c": ["a", "b", "c"],
    "select * from range(3) r, a": ["a"],
    "select * from read_csv('x.csv', header = true) as f join a using (id)": ["a"],
    "select case when x in (from a) then 1 end from b": ["a", "b"],
    "select /* from x */ * from a /* join y */ semi join b using (id) anti join c on c.id = a.id": ["a", "b", "c"],
    "with x(a, b) as not materialized (select 1, 2), y as materialized (select * from x, z) select * from y": ["z"],
    "with recursive r as (select 1 as n union all select n + 1 from r, s where n < 9) select * from r": ["s"],
    "with r as (select * from r) select * from r": ["r"],
    "select * from (with x as (select * from a) select * from x) as b, x": ["a", "x"],
    'select * from "A"."b ""c""" as "from" join "with" on true': ['A.b "c"', "with"],
    "select sum(x) filter (where y > 1) over (partition by z order by w rows between 1 preceding and current row) from a": [
        "a"
    ],
    "select * from a where d > $partition_start and d < $1": ["a"],
    "select * from a union all by name select * from b order by 1, 2 limit 3;": ["a", "b"],
    "select * exclude (x) replace (y + 1 as y) from a qualify row_number() over (w) = 1 window w as (order by z), v as ()": [],
    "from a select x, y where z": ["a"],
    "select * from \n\n  größe g\n cross join 注文": ["größe", "注文"],
    "select date '2024-01-01', interval 7 day, 1e5, 0x1f, .5 from a": ["a"],
}

ODD = [
    "select * from a pivot (sum(x) for y in (1, 2))",
    "select * from a, lateral (select * from b) c",
    "select * from (a join b using (id))",
    "select * from 'x.parquet'",
    "select * from a tablesample 10%",
    "select [x for x in y] from a",
    "select e'\\'' from a",
    "select $$ from x $$ from a",
    "select $t$ from x $t$ from a",
    "select `x` from a",
    "select /* /* nested */ */ 1 from a",
    "select 1; select 2",
    "create temp table x as select 1; from x",
    "insert into a select * from b",
    "select x: 1 from a",
    "select (1 from a",
    "select 1) from a",
    "select * from a where x = 1, b",
    "select 'a",
    "select trim(from x) from a",
    "with x as (insert into y select 1) select 1",
    "with x as (select 1)",
    "with",
    "select * from",
    "select * from a.",
    "select * into b from a",
    "",
]


@pytest.mark.parametrize("query", [*READS, *PLAIN])
def test_what_is_skimmed_is_what_the_whole_syntax_says(query: str) -> None:
    skimmed = skim(query)

    assert skimmed in (None, read_script(query))


@pytest.mark.parametrize(
    ("query", "tables"), [pair for pair in PLAIN.items() if pair[1]], ids=[name for name in PLAIN if PLAIN[name]]
)
def test_plain_queries_are_skimmed(query: str, tables: list[str]) -> None:
    skimmed = skim(query)

    assert skimmed is not None
    assert [".".join(reference.parts) for reference in skimmed.references] == tables


@pytest.mark.parametrize("query", ODD)
def test_what_is_not_known_is_left_to_the_whole_syntax(query: str) -> None:
    assert skim(query) is None


NAMES = st.sampled_from(["a", "b", "s.t", '"x y"', '"S"."T"', "x", "Y", "orders"])
VALUES = st.sampled_from(
    [
        "1",
        "x",
        "t.x",
        "'from b'",
        "x::int",
        "extract(day from x)",
        "count(*)",
        "sum(x) over (partition by y)",
        "null",
        "x is distinct from 2",
    ]
)


def joined(parts: st.SearchStrategy[str], by: str, most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(parts, min_size=1, max_size=most).map(by.join)


def factors(queries: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    named = st.tuples(NAMES, st.sampled_from(["", " as z", " q", ' "r s"', " as u (c)"])).map("".join)
    return st.one_of(named, queries.map(lambda query: f"({query}) as sub"), st.just("range(3) as g"))


def froms(queries: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    steps = st.sampled_from([", {}", " join {} on true", " left join {} using (x)", " cross join {}", " semi join {} on 1 = 1"])
    more = st.lists(st.tuples(steps, factors(queries)).map(lambda pair: pair[0].format(pair[1])), max_size=3).map("".join)
    return st.tuples(factors(queries), more).map("".join)


def selects(queries: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    nested = st.one_of(VALUES, queries.map(lambda query: f"({query})"), queries.map(lambda query: f"x in ({query})"))
    ends = st.sampled_from(
        ["", " group by 1, 2", " order by x, y limit 3", " having count(*) > 1", " window w as (order by x)"]
    )
    where = st.one_of(st.just(""), nested.map(lambda value: f" where {value} = 1"))
    return st.tuples(joined(nested, ", "), froms(queries), where, ends).map(lambda p: f"select {p[0]} from {p[1]}{p[2]}{p[3]}")


def larger(queries: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    ctes = joined(st.tuples(st.sampled_from(["a", "b", "X"]), queries).map(lambda pair: f"{pair[0]} as ({pair[1]})"), ", ")
    begun = st.sampled_from(["with ", "with recursive "])
    return st.one_of(
        selects(queries),
        st.tuples(begun, ctes, queries).map(lambda p: p[2] if p[2].startswith("with") else f"{p[0]}{p[1]} {p[2]}"),
        st.tuples(selects(queries), st.sampled_from([" union ", " except ", " union all by name "]), selects(queries)).map(
            "".join
        ),
    )


QUERIES: Any = st.recursive(NAMES.map(lambda name: f"select * from {name}"), larger, max_leaves=8)


@given(QUERIES)
def test_any_plain_query_is_skimmed_as_its_syntax_says(query: str) -> None:
    try:
        read = read_script(query)
    except InvalidSQLError:
        return

    assert skim(query) in (None, read)
