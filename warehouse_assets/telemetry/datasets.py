"""What OpenLineage calls the table of an asset: by the store that it is in, so that other tools mean the same by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from warehouse_assets.io_manager.powers import PlacesTables
from warehouse_assets.keys import AssetKey

__all__ = ["DatasetName", "dataset_name"]

_DEFAULT_PORTS = {"postgres": 5432, "mysql": 3306}
_SERVERS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
_FILES = ("duckdb", "sqlite")


class DatasetName(NamedTuple):
    """The name of a dataset, and the store in which no other has it."""

    namespace: str
    name: str


def dataset_name(manager: Any, key: AssetKey, metadata: Mapping[str, Any], namespace: str) -> DatasetName:
    """The name of the table of an asset with this metadata, which `manager` keeps.

    Where the manager does not know a place that others could look at, it is the key, in the `namespace` of the project.
    """
    if isinstance(manager, PlacesTables):
        store = getattr(manager, "store_id", "")
        return named(store if isinstance(store, str) else "", manager.place_of(key, metadata), namespace)
    return DatasetName(namespace, key.to_user_string())


def named(store: str, place: str, namespace: str) -> DatasetName:
    """The name of what is kept at `place` in a store.

    >>> named("duckdb:/data/w.duckdb", "main.orders", "shop")
    DatasetName(namespace='duckdb:///data/w.duckdb', name='main.orders')
    >>> named("postgresql://db:5433/shop", "public.orders", "shop")
    DatasetName(namespace='postgres://db:5433', name='shop.public.orders')
    >>> named("parquet:s3://lake/raw", "s3://lake/raw/orders.parquet", "shop")
    DatasetName(namespace='s3://lake', name='raw/orders.parquet')
    >>> named("parquet:/data", "/data/orders.parquet", "shop")
    DatasetName(namespace='file', name='/data/orders.parquet')
    """
    kind, _, where = store.partition(":")
    if kind in _FILES:
        return DatasetName(f"{kind}://{where}", place)
    if kind in _SERVERS:
        return _on_server(_SERVERS[kind], store, place)
    if place.startswith(("/", "file://")):
        return DatasetName("file", place.removeprefix("file://"))
    if "://" in place:
        scheme, _, rest = place.partition("://")
        bucket, _, path = rest.partition("/")
        return DatasetName(f"{scheme}://{bucket}", path or "/")
    return DatasetName(namespace, place)


def _on_server(kind: str, url: str, place: str) -> DatasetName:
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    database = parts.path.removeprefix("/")
    namespace = f"{kind}://{host}:{parts.port or _DEFAULT_PORTS[kind]}"
    if kind == "mysql" and "." in place:  # where a schema is a database
        return DatasetName(namespace, place)
    return DatasetName(namespace, f"{database}.{place}" if database else place)
