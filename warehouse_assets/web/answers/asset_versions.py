"""The earlier states of a table that its store keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.asset import AssetRequest
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["KeptVersion", "KeptVersions", "table_versions"]


class KeptVersion(msgspec.Struct, frozen=True, omit_defaults=True):
    """A state of the table: its name in the store, and when it was published, in seconds since the epoch."""

    version: str
    timestamp: float
    run_id: str | None = None
    row_count: int | None = None


class KeptVersions(msgspec.Struct, frozen=True, omit_defaults=True):
    """The states that are kept, the present one first; or in `refused` why there are none."""

    versions: tuple[KeptVersion, ...] = ()
    refused: str | None = None


def table_versions(definitions: Definitions, request: AssetRequest) -> KeptVersions:
    """What the store of an asset keeps of its table."""
    from warehouse_assets.errors import TableNotFoundError, UnsupportedTypeError
    from warehouse_assets.execution.table_versions import kept_versions

    with definitions.stored_tables(instance=the_instance()) as tables:
        try:
            kept = kept_versions(tables, AssetKey(request.key))
        except (TableNotFoundError, UnsupportedTypeError) as error:
            return KeptVersions(refused=str(error))
    found = [KeptVersion(each.version, each.timestamp.timestamp(), each.run_id, each.row_count) for each in reversed(kept)]
    return KeptVersions(tuple(found))
