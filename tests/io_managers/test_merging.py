from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from io_managers.merging import SAME, Dialect, Merge
from warehouse_assets.table_options import WriteMode, delete_insert, snapshot, upsert

DIALECTS = {"duckdb": Dialect(), "sqlite": Dialect(same=SAME["sqlite"]), "any": Dialect(same=SAME[""])}
TABLE, ROWS = '"the ""table"""', '"new rows"'
COLUMNS = ['a "k"', "v;"]

values = st.sampled_from([None, 1, 2, 3])
pairs = st.lists(st.tuples(values, values), max_size=6)
states = st.dictionaries(st.integers(1, 4), values, max_size=4)


class Engine:
    """One of two embedded engines, with a table and new rows in it."""

    def __init__(self, name, times=""):
        self._connection = sqlite3.connect(":memory:") if name == "sqlite" else duckdb.connect()
        quoted = '("a ""k""" int, "v;" int'
        for table, more in ((TABLE, times), (ROWS, "")):
            self._connection.execute(f"create table {table} {quoted}{more})")

    def fill(self, table, rows):
        self._connection.execute(f"delete from {table}")
        for row in rows:
            self._connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)

    def rows(self, text, parameters=None):
        """The rows of a query, with times as their days."""
        found = self._connection.execute(text, *([parameters] if parameters else [])).fetchall()
        return sorted((tuple(map(_plain, row)) for row in found), key=repr)

    def merge(self, merge, now=None):
        """What the statements make of the table, which has to be what the query says before."""
        statement = merge.merged(now)
        expected = self.rows(statement.text, dict(statement.parameters))
        for each in merge.statements(now):
            self._connection.execute(each.text, *([dict(each.parameters)] if each.parameters else []))
        actual = self.rows(f"select * from {merge.table}")
        assert actual == expected
        return actual

    def close(self):
        self._connection.close()


def _plain(value):
    if isinstance(value, str) and value[0].isdigit():
        return datetime.fromisoformat(value).day
    return value.day if isinstance(value, datetime) else value


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


def merged(dialect, mode, old, new):
    engine = Engine(dialect)
    try:
        engine.fill(TABLE, old)
        engine.fill(ROWS, new)
        return engine.merge(Merge(mode, TABLE, ROWS, COLUMNS, DIALECTS[dialect]))
    finally:
        engine.close()


@pytest.mark.parametrize("name", DIALECTS)
class TestModes:
    @settings(max_examples=25, deadline=None)
    @given(old=pairs, new=pairs)
    def test_append_adds_rows(self, name, old, new):
        assert merged(name, WriteMode("append"), old, new) == sorted([*old, *new], key=repr)

    @settings(max_examples=25, deadline=None)
    @given(old=pairs, new=states)
    def test_upsert_replaces_rows_with_the_key_of_a_new_one(self, name, old, new):
        expected = [row for row in old if row[0] not in new] + list(new.items())

        assert merged(name, upsert(COLUMNS[0]), old, new.items()) == sorted(expected, key=repr)

    @settings(max_examples=25, deadline=None)
    @given(old=pairs, new=pairs, by=st.sampled_from([COLUMNS, COLUMNS[:1], COLUMNS[1:]]))
    def test_delete_insert_takes_null_for_a_value(self, name, old, new, by):
        def told(row):
            return [row[COLUMNS.index(column)] for column in by]

        expected = [row for row in old if told(row) not in list(map(told, new))] + new

        assert merged(name, delete_insert(by), old, new) == sorted(expected, key=repr)

    @settings(max_examples=25, deadline=None)
    @given(states=st.lists(states, min_size=1, max_size=4))
    def test_a_snapshot_keeps_every_state(self, name, states):
        mode = snapshot(COLUMNS[0])
        kind = "text" if name == "sqlite" else "timestamp"
        engine = Engine(name, f", valid_from {kind}, valid_to {kind}")
        expected: list[list[int | None]] = []
        try:
            for day, state in enumerate(states, start=1):
                for row in expected:
                    if row[3] is None and (row[0] not in state or state[row[0]] != row[1]):
                        row[3] = day
                present = {row[0] for row in expected if row[3] is None}
                expected += [[key, value, day, None] for key, value in state.items() if key not in present]
                engine.fill(ROWS, state.items())
                merge = Merge(mode, TABLE, ROWS, COLUMNS, DIALECTS[name])
                now = datetime(2024, 1, day, tzinfo=UTC).replace(tzinfo=None)  # as the columns are

                assert engine.merge(merge, now if name != "sqlite" else now.isoformat()) == sorted(
                    map(tuple, expected), key=repr
                )
        finally:
            engine.close()


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [([(1, 1), (2, 1)], []), ([(1, 1), (1, 2)], [(1,)]), ([(None, 1)], [(None,)]), ([], [])],
    ids=["different", "twice", "null", "none"],
)
def test_wrong_keys_are_found(dialect, rows, wrong):
    engine = Engine(dialect)
    engine.fill(ROWS, rows)
    found = engine.rows(Merge(upsert(COLUMNS[0]), TABLE, ROWS, COLUMNS, DIALECTS[dialect]).wrong_keys())
    engine.close()

    assert found == wrong


def test_a_snapshot_begins_with_the_time_of_the_write():
    engine = Engine("duckdb")
    engine.fill(ROWS, [(1, 2)])
    first = Merge(snapshot(COLUMNS[0]), TABLE, ROWS, COLUMNS).first(datetime(1970, 1, 2, tzinfo=UTC))
    query = f'select "v;", epoch(valid_from), valid_to, typeof(valid_to) from ({first.text})'
    found = engine.rows(query, dict(first.parameters))
    engine.close()

    assert found == [(2, 86400, None, "TIMESTAMP WITH TIME ZONE")]
