"""A source and tables made of it, in whatever store, and what a plan tells of them."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse_assets import (
    Definitions,
    Plan,
    SourceAsset,
    asset,
    materialize,
    sql_asset,
)

RAW = pl.DataFrame({"id": [1, 2, 3], "customer": ["ann", "bob", "ann"], "amount": [1, 2, 3]})


ORDERS = "select id, customer, amount from raw.events"


RENAMED = "select id, customer as client, amount from raw.events"


PER_CUSTOMER = "select customer, sum(amount)::int as spent from staging.orders group by customer"


def shop(*assets: Any, orders: str = ORDERS, store: Any, **resources: Any) -> Definitions:
    """A source, a table made of it, and more."""
    given = {"io_manager": store, **resources}
    return Definitions([SourceAsset("raw/events"), sql_asset("staging/orders", orders), *assets], resources=given)


def filled(store: Any) -> Any:
    @asset(key_prefix="raw")
    def events() -> pl.DataFrame:
        return RAW

    materialize([events], resources={"io_manager": store})
    return store


def names(assets: Any) -> list[str]:
    return [one.key.to_user_string() for one in assets]


def columns(plan: Plan, key: str) -> tuple[str, ...] | None:
    predicted = plan[key].predicted
    return predicted.names if predicted is not None else None
