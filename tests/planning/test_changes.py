"""How tables and queries differ."""

from __future__ import annotations

import pytest

from warehouse_assets.planning.changes import ColumnChange, SQLChange, column_changes
from warehouse_assets.tables import TableColumn, TableSchema


def schema(**types: str) -> TableSchema:
    return TableSchema(tuple(TableColumn(name, kind) for name, kind in types.items()))


def test_columns_that_are_added_removed_and_retyped() -> None:
    changes = column_changes(schema(a="INT", b="INT", c="INT"), schema(c="INT", b="TEXT", d="INT"))

    assert changes == (
        ColumnChange("removed", "a", "INT", None),
        ColumnChange("retyped", "b", "INT", "TEXT"),
        ColumnChange("added", "d", None, "INT"),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("select 1", "select 1"), ("select a from t", "SELECT a\nFROM t -- all"), ("select {x}", "select\n{x}")],
    ids=["same", "form", "placeholder"],
)
def test_the_form_of_sql_is_no_change(old: str, new: str) -> None:
    assert SQLChange.between(old, new, "duckdb") is None


def test_text_that_is_no_sql_is_compared_as_it_is() -> None:
    change = SQLChange.between("select from where", "select from from", "duckdb")

    assert change is not None
    assert change.diff == ["-select from where", "+select from from"]
