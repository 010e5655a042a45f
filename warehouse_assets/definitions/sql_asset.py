"""`sql_asset`: a table that is made by a query."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from warehouse_assets.definitions.asset import build_asset
from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Place, caller_place
from warehouse_assets.definitions.specs import AUTO, CoercibleToDep
from warehouse_assets.errors import InvalidDefinitionError, InvalidSQLError
from warehouse_assets.keys import CoercibleToAssetKey
from warehouse_assets.sql.value import SQL
from warehouse_assets.table_options import TableOptions

if TYPE_CHECKING:
    from warehouse_assets.definitions.policies import RetryPolicy

__all__ = ["sql_asset"]


def sql_asset(
    key: CoercibleToAssetKey,
    sql: str | SQL,
    *,
    materialized: Literal["table", "view"] | None = None,
    dialect: str | None = None,
    deps: Iterable[CoercibleToDep] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] | None = None,
    kinds: Iterable[str] = (),
    description: str | None = None,
    io_manager_key: str | None = None,
    io_manager_def: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    partitions_def: Any = None,
    table: TableOptions | None = None,
    group_name: str | None = None,
    automation_condition: Any = None,
    freshness_policy: Any = None,
    backfill_policy: Any = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = AUTO,
    data_version: Literal["content"] | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
) -> AssetsDefinition:
    """Declare a table by the query that makes it, in the store that holds the table.

    The assets that it depends on are those whose tables the query reads; `deps` adds others, or says how partitions are mapped.
    `materialized` "view" keeps the query in place of its rows, where the store can. `dialect` is what sqlglot calls the language of
    the query, by default that of the store. The code version follows the query, whatever its form. Everything else is as for
    `asset`.

    >>> daily = sql_asset("marts/daily", "select day, sum(amount) as total from staging.orders group by day")
    >>> daily.key, daily.sql.tables()
    (AssetKey(['marts', 'daily']), (('staging', 'orders'),))

    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """
    origin = sql.origin if isinstance(sql, SQL) else None
    place = Place(origin.file, origin.line) if origin is not None else caller_place()
    given: Any = sql
    if not isinstance(given, (str, SQL)):
        what = f"asset {key!r}: its SQL is {given!r}, which is neither text nor SQL"
        raise InvalidDefinitionError(what, where=str(place), hint='Write sql_asset("schema/table", "select …").')
    query = (sql if isinstance(sql, SQL) else SQL(sql)).told(dialect=dialect)
    if materialized is not None:
        try:
            table = dataclasses.replace(table or TableOptions(), materialized=materialized)
        except InvalidDefinitionError as error:
            raise InvalidDefinitionError(f"asset {key!r}: {error.message}", where=str(place), hint=error.hint) from None
    asset = build_asset(
        _returning(query, place),
        key=key,
        deps=deps,
        metadata=metadata,
        tags=tags,
        owners=owners,
        kinds={"sql", *kinds},
        description=description,
        io_manager_key=io_manager_key,
        io_manager_def=io_manager_def,
        resource_defs=resource_defs,
        partitions_def=partitions_def,
        table=table,
        group_name=group_name,
        automation_condition=automation_condition,
        freshness_policy=freshness_policy,
        backfill_policy=backfill_policy,
        retry_policy=retry_policy,
        code_version=code_version,
        data_version=data_version,
        op_tags=op_tags,
        pool=pool,
        sql=query,
    )
    _check_partitions(query, asset, partitions_def, place)
    return asset


def _check_partitions(sql: SQL, asset: AssetsDefinition, partitions_def: Any, place: Place) -> None:
    """Raise InvalidDefinitionError for what the query names of partitions that the asset has not."""
    if "$partition_" in sql.template:
        from warehouse_assets.sql.partitions import check_partition_parameters

        try:
            check_partition_parameters(sql, asset.key, partitions_def)
        except InvalidSQLError as error:
            raise InvalidDefinitionError(error.message, where=str(place), hint=error.hint) from None


def _returning(sql: SQL, place: Place) -> UserFunction:
    """The function of an asset that is made by a query."""
    function = UserFunction(lambda: sql)  # without annotations, which would be looked for in the code around it
    function.place = place
    return function
