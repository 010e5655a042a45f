"""Events and runs as JSON text, for event logs that keep them in a database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from warehouse_assets.automation_records import InstigatorKind, Tick, TickStatus
from warehouse_assets.errors import InstanceError
from warehouse_assets.events import (
    AssetMaterialization,
    AssetObservation,
    CodeLocation,
    ErrorInfo,
    Event,
    EventType,
    RunRecord,
    RunStatus,
    event_data_from_json,
    event_data_to_json,
)
from warehouse_assets.keys import AssetCheckKey, AssetKey
from warehouse_assets.metadata import RecordedMetadata

__all__ = [
    "event_body",
    "event_from_body",
    "json_text",
    "json_value",
    "key_text",
    "run_body",
    "run_from_body",
    "tick_body",
    "tick_from_body",
]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def key_text(key: AssetKey) -> str:
    r"""The key as a column holds it: no two keys share it, and a NUL character, which databases cut text at, is escaped.

    >>> print(key_text(AssetKey(["a/b", "c"])))
    a\/b/c
    """
    return key.to_escaped_string().replace("\0", "\\0")


def event_body(event: Event) -> str:
    """What an event says beside what has a column of its own: its step, message and data."""
    body: dict[str, Any] = {}
    if event.step_key is not None:
        body["step"] = event.step_key
    if event.message is not None:
        body["message"] = event.message
    if event.data is not None:
        body["data"] = event_data_to_json(event.data)
    return _dumps(body) if body else "{}"


class _Table(msgspec.Struct, gc=False):
    """What the body of a materialization or observation says of its table; its metadata is most of it, and is left as it is."""

    asset: tuple[str, ...]
    description: str | None
    metadata: msgspec.Raw
    partition: str | None
    tags: dict[str, str]


class _TableBody(msgspec.Struct, gc=False):
    """The body of a materialization or observation."""

    data: _Table
    step: str | None = None
    message: str | None = None


_TABLES: Mapping[str, type[AssetMaterialization]] = {
    "ASSET_MATERIALIZATION": AssetMaterialization,
    "ASSET_OBSERVATION": AssetObservation,
}
_decode_table = msgspec.json.Decoder(_TableBody).decode


def event_from_body(
    storage_id: int, event_type: EventType, run_id: str, timestamp: float, text: str, key: AssetKey | None = None
) -> Event:
    """The event whose body `event_body` wrote; `key` is that of its asset, where it is at hand."""
    if (cls := _TABLES.get(event_type)) is not None:
        try:
            table = (body := _decode_table(text)).data
        except (msgspec.DecodeError, UnicodeEncodeError):  # what `json` wrote, or nothing that one could read
            pass
        else:
            metadata = RecordedMetadata(bytes(table.metadata))
            made = cls(key or AssetKey(table.asset), table.description, metadata, table.partition, table.tags)
            return Event(event_type, run_id, timestamp, body.step, body.message, made, storage_id)
    return _event_from_loaded(storage_id, event_type, run_id, timestamp, _loads(text))


def _event_from_loaded(storage_id: int, event_type: EventType, run_id: str, timestamp: float, body: Any) -> Event:
    data = event_data_from_json(event_type, body.get("data"))
    return Event(event_type, run_id, timestamp, body.get("step"), body.get("message"), data, storage_id)


def run_body(run: RunRecord) -> str:
    """What a run says beside what has a column of its own: its tags, assets, checks, configuration and location."""
    body: dict[str, Any] = {"tags": run.tags, "assets": [key.path for key in run.asset_keys], "config": run.config}
    if run.location is not None:
        body["location"] = asdict(run.location)
    if run.check_keys is not None:
        body["checks"] = [key.to_escaped_string() for key in run.check_keys]
    return _dumps(body)


def run_from_body(
    run_id: str,
    status: RunStatus,
    created: float,
    started: float | None,
    ended: float | None,
    job_name: str | None,
    run_key: str | None,
    heartbeat: float | None,
    text: str,
) -> RunRecord:
    """The run whose body `run_body` wrote."""
    body = _loads(text)
    keys = tuple(AssetKey(path) for path in body["assets"])
    location = CodeLocation(**body["location"]) if "location" in body else None
    checks = tuple(map(AssetCheckKey.from_escaped_string, body["checks"])) if "checks" in body else None
    tags, config = body["tags"], body["config"]
    return RunRecord(
        run_id, status, created, started, ended, job_name, tags, keys, config, run_key, location, heartbeat, checks
    )


def tick_body(tick: Tick) -> str:
    """What a tick says beside what has a column of its own."""
    error = None if tick.error is None else event_data_to_json(tick.error)
    return _dumps({"runs": tick.run_ids, "skipped": tick.skip_message, "error": error, "cursor": tick.cursor})


def tick_from_body(
    tick_id: int,
    origin: str,
    kind: InstigatorKind,
    scheduled: float,
    status: TickStatus,
    started: float,
    ended: float,
    text: str,
) -> Tick:
    """The tick whose body `tick_body` wrote."""
    body = _loads(text)
    error = event_data_from_json("LOG", body["error"])
    return Tick(
        origin,
        kind,
        scheduled,
        status,
        started,
        ended,
        tuple(body["runs"]),
        body["skipped"],
        error if isinstance(error, ErrorInfo) else None,
        body["cursor"],
        tick_id,
    )


def json_text(value: Mapping[str, Any]) -> str:
    """What somebody keeps, as text; InstanceError where JSON cannot hold it."""
    return _dumps(value)


def json_value(text: str) -> Any:
    """What `json_text` wrote."""
    return _loads(text)


def _dumps(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (TypeError, UnicodeEncodeError):  # half a character of a file name that is not UTF-8, a subclass of str
        pass
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError) as error:
        raise InstanceError(f"an event or run cannot be written as JSON: {error}") from error


def _loads(text: str) -> Any:
    try:
        return _decode(text)
    except msgspec.DecodeError:
        pass
    try:
        return json.loads(text)
    except ValueError as error:
        raise InstanceError(f"the record holds an entry that is not JSON: {text[:80]!r}") from error
