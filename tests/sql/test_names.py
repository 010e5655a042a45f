from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import AssetKey
from warehouse_assets.sql.names import KnownTables, is_engine_name, is_file_name, resolve_table


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


@pytest.mark.parametrize(
    ("name", "keys", "given", "meant"),
    [
        ("orders", ["raw/orders", "staging/orders"], {}, ["raw/orders", "staging/orders"]),
        ("orders", ["raw/orders", "staging/orders"], {"own": "staging/orders"}, ["raw/orders"]),
        ("orders", ["staging/orders"], {"own": "staging/orders"}, ["staging/orders"]),
        ("orders", ["orders", "raw/orders"], {"own": "orders"}, ["orders"]),
        ("shop.main.orders", ["orders"], {"schema": "main", "catalog": "shop"}, ["orders"]),
        ("Shop.Raw.orders", ["raw/orders"], {"catalog": "shop"}, ["raw/orders"]),
        ("other.raw.orders", ["raw/orders"], {"catalog": "shop"}, []),
        ("shop.raw.orders", ["shop/raw/orders", "raw/orders"], {"catalog": "shop"}, ["shop/raw/orders"]),
        ("nothing", ["orders"], {}, []),
    ],
)
def test_many_tables_are_known_at_once(name: str, keys: list[str], given: dict[str, Any], meant: list[str]) -> None:
    known = KnownTables(map(AssetKey.coerce, keys), given.get("schema"), given.get("catalog"))
    own = AssetKey.coerce(given["own"]) if "own" in given else None

    assert [key.to_user_string() for key in known.meant(name.split("."), own)] == meant


def test_a_table_is_known_by_where_it_is_placed_too() -> None:
    known = KnownTables([AssetKey("orders")], placed=lambda key: AssetKey(("raw", *key.path)))

    assert known.meant(["raw", "orders"]) == known.meant(["orders"]) == [AssetKey("orders")]
