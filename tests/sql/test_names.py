from __future__ import annotations

import pytest

from warehouse_assets import AssetKey
from warehouse_assets.sql.names import is_engine_name, is_file_name, resolve_table


@pytest.mark.parametrize(
    ("name", "keys", "default", "meant"),
    [
        ("orders", ["orders"], None, "orders"),
        ("Orders", ["orders"], None, "orders"),
        ("staging.orders", ["staging/orders", "orders"], None, "staging/orders"),
        ("orders", ["staging/orders"], None, "staging/orders"),
        ("orders", ["orders", "staging/orders"], None, "orders"),
        ("orders", ["raw/orders", "staging/orders"], None, None),
        ("main.orders", ["orders"], "main", "orders"),
        ("main.orders", ["orders"], None, None),
        ("staging.orders", ["lake/staging/orders"], None, "lake/staging/orders"),
        ("lake.staging.orders", ["lake/staging/orders"], None, "lake/staging/orders"),
        ("orders", ["Orders", "orders"], None, "orders"),
        ("ORDERS", ["Orders", "orders"], None, None),
        ("orders", [], None, None),
        ("orders_2", ["orders"], None, None),
    ],
)
def test_which_asset_a_table_name_means(name: str, keys: list[str], default: str | None, meant: str | None) -> None:
    found = resolve_table(name.split("."), [AssetKey.coerce(key) for key in keys], default)

    assert (found.to_user_string() if found else None) == meant


def test_a_schema_of_several_segments_is_known_by_its_stored_name() -> None:
    key = AssetKey(["lake", "staging", "orders"])

    assert resolve_table(("lake/staging", "orders"), [key]) == key


@pytest.mark.parametrize(
    ("parts", "file", "engine"),
    [
        (("a.parquet",), True, False),
        (("s3://b/*",), True, False),
        (("A.CSV",), True, False),
        (("a",), False, False),
        (("a", "parquet"), False, False),
        (("information_schema", "tables"), False, True),
        (("db", "pg_catalog", "pg_class"), False, True),
    ],
    ids=str,
)
def test_names_that_belong_to_the_engine(parts: tuple[str, ...], file: bool, engine: bool) -> None:
    assert (is_file_name(parts), is_engine_name(parts)) == (file, engine)
