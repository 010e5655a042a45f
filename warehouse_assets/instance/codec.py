"""Events and runs as JSON text, for event logs that keep them in a database."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import msgspec

from warehouse_assets.errors import InstanceError
from warehouse_assets.events import (
    CodeLocation,
    Event,
    EventType,
    RunRecord,
    RunStatus,
    event_data_from_json,
    event_data_to_json,
)
from warehouse_assets.keys import AssetKey

__all__ = ["event_body", "event_from_body", "key_text", "run_body", "run_from_body"]

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


def event_from_body(storage_id: int, event_type: EventType, run_id: str, timestamp: float, text: str) -> Event:
    """The event whose body `event_body` wrote."""
    body = _loads(text)
    data = event_data_from_json(event_type, body.get("data"))
    return Event(event_type, run_id, timestamp, body.get("step"), body.get("message"), data, storage_id)


def run_body(run: RunRecord) -> str:
    """What a run says beside what has a column of its own: its tags, assets, configuration and location."""
    body: dict[str, Any] = {"tags": run.tags, "assets": [key.path for key in run.asset_keys], "config": run.config}
    if run.location is not None:
        body["location"] = asdict(run.location)
    return _dumps(body)


def run_from_body(
    run_id: str,
    status: RunStatus,
    created: float,
    started: float | None,
    ended: float | None,
    job_name: str | None,
    text: str,
) -> RunRecord:
    """The run whose body `run_body` wrote."""
    body = _loads(text)
    keys = tuple(AssetKey(path) for path in body["assets"])
    location = CodeLocation(**body["location"]) if "location" in body else None
    return RunRecord(run_id, status, created, started, ended, job_name, body["tags"], keys, body["config"], location=location)


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
