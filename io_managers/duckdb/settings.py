"""How a DuckDB file is opened: the settings of DuckDB, and what a URI says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import duckdb

__all__ = ["check_settings", "from_uri"]

FIELDS = ("schema", "lock_timeout")  # of a manager, that a URI can give


def from_uri(uri: str) -> dict[str, Any]:
    """The fields of the manager that a URI means.

    >>> from_uri("duckdb:///w.duckdb?schema=staging&threads=2")
    {'database': 'w.duckdb', 'connection_config': {'threads': '2'}, 'schema': 'staging'}
    """
    place, _, query = uri.removeprefix("duckdb:").removeprefix("//").partition("?")
    settings = dict(parse_qsl(query))
    fields = {name: settings.pop(name) for name in FIELDS if name in settings}
    return {"database": unquote(place.removeprefix("/")) or ":memory:", "connection_config": settings, **fields}


def check_settings(config: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that DuckDB does not know, or values that it does not take."""
    try:
        duckdb.connect(":memory:", config=dict(config)).close()
    except duckdb.Error as error:
        raise ValueError(f"connection_config: {str(error).strip()}") from None
