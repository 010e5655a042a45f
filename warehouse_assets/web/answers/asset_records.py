"""What a person says of the record of an asset: that something was made or seen outside of any run, or that all of it is to be forgotten."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.events import DATA_VERSION_TAG, AssetMaterialization, AssetObservation, Event, EventType
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.instance import Instance

__all__ = ["Report", "Reported", "WipeRequest", "Wiped", "record_reports", "report_asset", "wipe_asset"]

MOST_PARTITIONS = 100_000


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """That an asset was made, or `seen`, by something else. `partitions` are none, one, or the first and the last of a range."""

    key: tuple[str, ...]
    seen: bool = False
    partitions: tuple[str, ...] = ()
    description: str | None = None
    metadata: dict[str, Any] = {}
    data_version: str | None = None


class Reported(msgspec.Struct, frozen=True):
    """How many events were recorded."""

    count: int


class WipeRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which asset is to be forgotten, and whether its table is dropped, too."""

    key: tuple[str, ...]
    tables: bool = False


class Wiped(msgspec.Struct, frozen=True):
    """Whether there was a table that is dropped."""

    dropped: bool


def report_asset(definitions: Definitions, report: Report) -> Reported:
    """Record it for the partitions that are meant; PartitionNotFoundError for one that there is none of, InvalidInvocationError for none."""
    from warehouse_assets.partitions.definition import PartitionKeyRange

    key, instance = AssetKey(report.key), the_instance()
    partitions_def, ends = definitions.graph[key].spec.partitions_def, report.partitions
    if partitions_def is None:
        if ends:
            raise InvalidInvocationError(f"asset {key.to_user_string()!r} has no partitions", hint="Report it without one.")
        return record_reports(instance, report)
    if not ends and not report.seen:
        raise InvalidInvocationError(f"asset {key.to_user_string()!r} has partitions", hint="Say which of them were made.")
    if not ends:
        return record_reports(instance, report)
    names = partitions_def.get_partition_keys_in_range(PartitionKeyRange(ends[0], ends[-1]), None, instance)
    return record_reports(instance, report, names)


def record_reports(instance: Instance, report: Report, partitions: Sequence[str] = ()) -> Reported:
    """Record it once, or for each of these partitions, all or nothing."""
    if len(partitions) > MOST_PARTITIONS:
        raise InvalidInvocationError(
            f"{len(partitions):,} partitions are too many at once", hint=f"Report up to {MOST_PARTITIONS:,}."
        )
    kind = AssetObservation if report.seen else AssetMaterialization
    tags: Mapping[str, str] = {} if report.data_version is None else {DATA_VERSION_TAG: report.data_version}
    event_type: EventType = "ASSET_OBSERVATION" if report.seen else "ASSET_MATERIALIZATION"
    key, now = AssetKey(report.key), time.time()
    told = [kind(key, report.description, report.metadata, partition, tags) for partition in partitions or (None,)]
    instance.store_events([Event(event_type, run_id="", timestamp=now, data=one) for one in told])
    return Reported(len(told))


def wipe_asset(definitions: Definitions, request: WipeRequest) -> Wiped:
    """Forget what is recorded of an asset; its table is dropped first where that is asked for, and UnsupportedTypeError where it cannot be."""
    from warehouse_assets.execution.wiping import wipe_assets

    key, instance = AssetKey(request.key), the_instance()
    if not request.tables:
        wipe_assets(instance, [key])
        return Wiped(False)
    with definitions.stored_tables(instance=instance) as tables:
        return Wiped(bool(wipe_assets(instance, [key], tables)))
