"""Earlier states of tables: which one is meant, and going back to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, TypeAlias

from warehouse_assets.errors import TableNotFoundError, UnsupportedTypeError
from warehouse_assets.events import AssetMaterialization
from warehouse_assets.execution.tables import StoredTables
from warehouse_assets.io_manager.powers import KeepsVersions
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue, stats_metadata
from warehouse_assets.tables import TableVersion

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["AsOf", "kept_versions", "roll_back", "version_as_of"]

AsOf: TypeAlias = "str | int | date | datetime"

TABLE_VERSION = "table_version"  # the metadata of a materialization that names the version it made


def kept_versions(tables: StoredTables, key: AssetKey) -> Sequence[TableVersion]:
    """The states of a table that its store has, the oldest first, the present one last."""
    return _keeper(tables, key).table_versions(tables.input_context(key))


def version_as_of(tables: StoredTables, key: AssetKey, as_of: AsOf, instance: Instance | None) -> str:
    """The version of a table that is meant by its name in the store, by the id of the run that made it, or by a time, also as text.

    At a time it is the last one that was published until then; a time without zone is UTC, a day its beginning. Raises
    TableNotFoundError where there is none, naming those that there are.
    """
    versions = kept_versions(tables, key)
    is_name = isinstance(as_of, (str, int)) and not isinstance(as_of, bool)
    if is_name:
        name = str(as_of)
        if any(version.version == name for version in versions):
            return name
        made = _made_by_run(key, name, instance) or next((each.version for each in versions[::-1] if each.run_id == name), None)
        if made is not None and any(version.version == made for version in versions):
            return made
        if made is not None:
            raise _no_version(key, f"no version {made!r} any more, which run {name!r} made", versions)
    moment = _moment(as_of)
    if moment is None and not is_name:
        raise UnsupportedTypeError(
            f"as_of is {as_of!r}, which names no version of {key.to_user_string()!r}",
            hint="Give the id of a run, a datetime or a version.",
        )
    found = [version for version in versions if moment is not None and version.timestamp <= moment]
    if not found:
        raise _no_version(key, f"no version {str(as_of)!r}" if moment is None else f"none at {moment.isoformat()}", versions)
    return found[-1].version


def _moment(as_of: AsOf) -> datetime | None:
    if isinstance(as_of, str):
        try:
            as_of = datetime.fromisoformat(as_of)
        except ValueError:
            return None
    if isinstance(as_of, date) and not isinstance(as_of, datetime):
        as_of = datetime.combine(as_of, time())
    if not isinstance(as_of, datetime):
        return None
    return as_of if as_of.tzinfo is not None else as_of.replace(tzinfo=UTC)


def roll_back(
    tables: StoredTables, key: AssetKey, to: AsOf | None, instance: Instance
) -> tuple[TableVersion, AssetMaterialization]:
    """Make an earlier state of a table, by default the one before the present, the present one again; it is recorded as a write.

    The record has the versions of code and data that the state was first recorded with, as far as they are known, so that what
    is made from it becomes stale. Returns the state, and what was recorded.
    """
    manager = _keeper(tables, key)
    versions = kept_versions(tables, key)
    if to is None:
        if len(versions) < 2:
            raise _no_version(key, "no version before the present one", versions)
        version = versions[-2].version
    else:
        version = version_as_of(tables, key, to, instance)
    state = next(each for each in versions if each.version == version)
    stats = manager.roll_back(tables.output_context(key), version)
    record = AssetMaterialization(
        key,
        description=f"Rolled back to version {version}",
        metadata={**stats_metadata(stats), "rolled_back_to": MetadataValue.text(version)},
        tags=_recorded_tags(key, version, instance),
    )
    instance.report_runless_asset_event(record)
    return state, record


def _keeper(tables: StoredTables, key: AssetKey) -> KeepsVersions:
    if key not in tables.graph:
        raise TableNotFoundError(f"there is no asset {key.to_user_string()!r}", hint=tables.graph.unknown_key_error(key))
    manager = tables.manager_of(key)
    if not isinstance(manager, KeepsVersions):
        raise UnsupportedTypeError(
            f"{type(manager).__name__}, which keeps asset {key.to_user_string()!r}, keeps no earlier versions of its tables",
            hint="DuckDB, Parquet, Delta Lake and Iceberg do.",
        )
    return manager


def _made_by_run(key: AssetKey, run_id: str, instance: Instance | None) -> str | None:
    """The version that a run made of the table, as it was recorded."""
    if instance is None or not instance.has_run(run_id):
        return None
    events = instance.get_event_records(run_id=run_id, asset_key=key, event_types="ASSET_MATERIALIZATION", ascending=False)
    for event in events:
        made = event.asset_materialization
        if made is not None and TABLE_VERSION in made.metadata:
            return str(made.metadata[TABLE_VERSION].value)
    return None


def _recorded_tags(key: AssetKey, version: str, instance: Instance) -> dict[str, str]:
    events = instance.get_event_records(asset_key=key, event_types="ASSET_MATERIALIZATION", ascending=False)
    for event in events:
        made = event.asset_materialization
        if made is None or made.partition is not None or TABLE_VERSION not in made.metadata:
            continue
        if str(made.metadata[TABLE_VERSION].value) == version:
            return dict(made.tags)
    return {}


def _no_version(key: AssetKey, what: str, versions: Sequence[TableVersion]) -> TableNotFoundError:
    last = ", ".join(f"{each.version} ({each.timestamp.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)" for each in versions[-5:])
    return TableNotFoundError(
        f"the table of asset {key.to_user_string()!r} has {what}",
        hint=f"It has {'…, ' if len(versions) > 5 else ''}{last}." if versions else None,
    )
