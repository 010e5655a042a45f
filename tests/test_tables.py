from __future__ import annotations

import pickle

import pytest

from warehouse_assets import AssetKey, Table, TableColumn, TableSchema
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.tables import TableName, quote_identifier


@pytest.mark.parametrize(
    ("name", "quoted"), [("orders", '"orders"'), ('a"b', '"a""b"'), ("select", '"select"'), ("a.b c", '"a.b c"'), ("é", '"é"')]
)
def test_an_identifier_is_quoted(name: str, quoted: str) -> None:
    assert quote_identifier(name) == quoted


def test_no_database_takes_a_nul_character() -> None:
    with pytest.raises(InvalidDefinitionError, match="NUL"):
        quote_identifier("a\0b")


@pytest.mark.parametrize(
    ("path", "default", "name"),
    [
        (["orders"], None, TableName("orders")),
        (["orders"], "main", TableName("orders", "main")),
        (["staging", "orders"], "main", TableName("orders", "staging")),
        (["lake", "staging", "orders"], None, TableName("orders", "lake/staging")),
        (["lake/staging", "orders"], None, TableName("orders", "lake\\/staging")),
    ],
)
def test_the_last_segment_is_the_table_and_those_before_it_the_schema(
    path: list[str], default: str | None, name: TableName
) -> None:
    assert TableName.of(AssetKey(path), default) == name


def test_a_table_name_shows_itself_for_sql_and_for_people() -> None:
    names = [TableName("or ders"), TableName("orders", "staging")]

    assert [(name.quoted, str(name)) for name in names] == [('"or ders"', "or ders"), ('"staging"."orders"', "staging.orders")]


def test_a_table_handle_is_its_quoted_name() -> None:
    assert str(Table(AssetKey(["sta ging", 'or"ders']))) == '"sta ging"."or""ders"'


def test_a_schema_lists_its_columns() -> None:
    schema = TableSchema([TableColumn("id", "BIGINT", nullable=False), TableColumn("day", "DATE", description="of the order")])

    assert (schema.names, [column.type for column in schema]) == (("id", "day"), ["BIGINT", "DATE"])
    assert pickle.loads(pickle.dumps(schema)) == schema
