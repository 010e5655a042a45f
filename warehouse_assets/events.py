"""What happened: frozen records of runs, steps and assets, which the instance keeps and gives back."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, TypeAlias

from warehouse_assets.errors import Failure
from warehouse_assets.keys import AssetCheckKey, AssetKey
from warehouse_assets.metadata import MetadataValue, metadata_from_json, metadata_to_json, normalize_metadata

__all__ = [
    "CODE_VERSION_TAG",
    "DATA_VERSION_TAG",
    "INPUT_DATA_VERSION_TAG",
    "PARTITION_RANGE_END_TAG",
    "PARTITION_RANGE_START_TAG",
    "PARTITION_TAG",
    "AssetCheckEvaluation",
    "AssetCheckSeverity",
    "AssetMaterialization",
    "AssetObservation",
    "CodeLocation",
    "ErrorInfo",
    "Event",
    "EventType",
    "LogEntry",
    "RunRecord",
    "RunStatus",
    "error_line",
    "error_text",
    "event_data_from_json",
    "event_data_to_json",
]

CODE_VERSION_TAG = "warehouse_assets/code_version"
DATA_VERSION_TAG = "warehouse_assets/data_version"
PARTITION_TAG = "warehouse_assets/partition"  # of a run
PARTITION_RANGE_START_TAG = "warehouse_assets/partition_range_start"
PARTITION_RANGE_END_TAG = "warehouse_assets/partition_range_end"
INPUT_DATA_VERSION_TAG = "warehouse_assets/input_data_version/"  # and the escaped key of the input

RunStatus: TypeAlias = Literal["QUEUED", "STARTING", "STARTED", "CANCELING", "SUCCESS", "FAILURE", "CANCELED"]
EventType: TypeAlias = Literal[
    "RUN_ENQUEUED",
    "RUN_STARTING",
    "RUN_START",
    "RUN_CANCELING",
    "RUN_SUCCESS",
    "RUN_FAILURE",
    "RUN_CANCELED",
    "STEP_START",
    "STEP_SUCCESS",
    "STEP_FAILURE",
    "STEP_SKIPPED",
    "STEP_UP_TO_DATE",
    "STEP_UP_FOR_RETRY",
    "ASSET_MATERIALIZATION",
    "ASSET_OBSERVATION",
    "ASSET_CHECK_EVALUATION",
    "LOG",
]


@dataclass(frozen=True, slots=True)
class AssetMaterialization:
    """A table was made: the record of one write of one asset, or of one partition of it.

    `metadata` maps names to metadata values, `tags` hold versions and the like.
    """

    asset_key: AssetKey
    description: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    partition: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asset_key", AssetKey.coerce(self.asset_key))
        if self.metadata:
            object.__setattr__(self, "metadata", normalize_metadata(self.metadata))


@dataclass(frozen=True, slots=True)
class AssetObservation(AssetMaterialization):
    """Something was learned of a table that nothing was written to."""


class AssetCheckSeverity(Enum):
    """How bad it is that a check did not pass: a warning stops nothing."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class AssetCheckEvaluation:
    """A table was checked: whether it passed, and what was found.

    `severity` is how bad it is where it did not pass. `blocking` is whether the check keeps a faulty table from being published.
    """

    asset_key: AssetKey
    check_name: str
    passed: bool
    severity: AssetCheckSeverity = AssetCheckSeverity.ERROR
    blocking: bool = False
    description: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    partition: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "asset_key", AssetKey.coerce(self.asset_key))
        if self.metadata:
            object.__setattr__(self, "metadata", normalize_metadata(self.metadata))

    @property
    def asset_check_key(self) -> AssetCheckKey:
        """The key of the check."""
        return AssetCheckKey(self.asset_key, self.check_name)

    @property
    def failed(self) -> bool:
        """Whether the table is at fault: it did not pass, and that is more than a warning."""
        return not self.passed and self.severity is AssetCheckSeverity.ERROR


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An exception as a record can keep it: its class, its message with notes, and its traceback as text."""

    cls_name: str
    message: str
    stack: str = ""
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)

    @classmethod
    def of(cls, error: BaseException) -> ErrorInfo:
        """The record of `error`."""
        metadata: Mapping[str, MetadataValue] = {}
        if isinstance(error, Failure):
            try:
                metadata = normalize_metadata(error.metadata)
            except Exception as fault:  # noqa: BLE001 - bad metadata must not hide the failure it belongs to
                metadata = {"metadata_error": MetadataValue.text(str(fault))}
        return cls(type(error).__qualname__, error_text(error), "".join(traceback.format_exception(error, limit=-50)), metadata)


def error_text(error: BaseException) -> str:
    """The message of an exception, also of one that fails to tell it."""
    try:
        return str(error)
    except Exception as fault:  # noqa: BLE001 - the record of an error must not fail over its message
        return f"(its message cannot be shown: {type(fault).__name__})"


def error_line(error: BaseException) -> str:
    """The class of an exception and the first line of its message.

    >>> error_line(ValueError("no rows\\nin the file"))
    'ValueError: no rows'
    """
    text = error_text(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What a log record says beside its message: its level, as a name, and its logger."""

    level: str
    logger: str


EventData: TypeAlias = "AssetMaterialization | AssetCheckEvaluation | ErrorInfo | LogEntry | None"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a run, at `timestamp` (seconds since the epoch).

    `data` is the materialization, observation or check evaluation, the error of a failure, or the level of a log record; `message` says in one line what people want to know.
    `storage_id` orders events of one instance; it is None until the event is stored.
    """

    event_type: EventType
    run_id: str
    timestamp: float
    step_key: str | None = None
    message: str | None = None
    data: EventData = None
    storage_id: int | None = None

    @property
    def asset_materialization(self) -> AssetMaterialization | None:
        """The materialization that this event records."""
        return self.data if self.event_type == "ASSET_MATERIALIZATION" else None  # type: ignore[return-value]

    @property
    def asset_observation(self) -> AssetObservation | None:
        """The observation that this event records."""
        return self.data if self.event_type == "ASSET_OBSERVATION" else None  # type: ignore[return-value]

    @property
    def asset_check_evaluation(self) -> AssetCheckEvaluation | None:
        """The evaluation of a check that this event records."""
        return self.data if isinstance(self.data, AssetCheckEvaluation) else None

    @property
    def asset_key(self) -> AssetKey | None:
        """The asset that this event is about, where it is about one."""
        return self.data.asset_key if isinstance(self.data, (AssetMaterialization, AssetCheckEvaluation)) else None

    @property
    def partition(self) -> str | None:
        """The partition that this event is about, where it is about one."""
        return self.data.partition if isinstance(self.data, (AssetMaterialization, AssetCheckEvaluation)) else None

    @property
    def error(self) -> ErrorInfo | None:
        """The error that this event records."""
        return self.data if isinstance(self.data, ErrorInfo) else None


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """Where definitions are loaded from: a module or file (`my.assets`, `assets.py`), as seen from a folder.

    `python` is the interpreter that loads it, the running one unless given.
    """

    name: str
    module: str
    working_directory: str
    python: str | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: what was to be made, when, and how it ended. Times are seconds since the epoch.

    `check_keys` are the checks that it evaluates, None those of its assets. No two runs have one `run_key`, where they have any. `location` is where a process of its own finds what it runs, and
    `heartbeat` when that process was last known to live.
    """

    run_id: str
    status: RunStatus
    created: float
    started: float | None = None
    ended: float | None = None
    job_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    asset_keys: tuple[AssetKey, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    run_key: str | None = None
    location: CodeLocation | None = None
    heartbeat: float | None = None
    check_keys: tuple[AssetCheckKey, ...] | None = None


def event_data_to_json(data: EventData) -> dict[str, Any] | None:
    """What an event carries, as JSON can hold it."""
    if data is None:
        return None
    if isinstance(data, LogEntry):
        return {"level": data.level, "logger": data.logger}
    if isinstance(data, ErrorInfo):
        return {
            "error": data.cls_name,
            "message": data.message,
            "stack": data.stack,
            "metadata": metadata_to_json(data.metadata),
        }
    if isinstance(data, AssetCheckEvaluation):
        return {
            "asset": data.asset_key.path,
            "check": data.check_name,
            "passed": data.passed,
            "severity": data.severity.value,
            "blocking": data.blocking,
            "description": data.description,
            "metadata": metadata_to_json(data.metadata),
            "partition": data.partition,
        }
    return {
        "asset": data.asset_key.path,
        "description": data.description,
        "metadata": metadata_to_json(data.metadata),
        "partition": data.partition,
        "tags": dict(data.tags),
    }


def event_data_from_json(event_type: EventType, data: Mapping[str, Any] | None) -> EventData:
    """What `event_data_to_json` wrote, for an event of this type."""
    if data is None:
        return None
    if "level" in data:
        return LogEntry(data["level"], data["logger"])
    metadata = metadata_from_json(data["metadata"])
    if "error" in data:
        return ErrorInfo(data["error"], data["message"], data["stack"], metadata)
    if "check" in data:
        return AssetCheckEvaluation(
            AssetKey(data["asset"]),
            data["check"],
            data["passed"],
            AssetCheckSeverity(data["severity"]),
            data["blocking"],
            data["description"],
            metadata,
            data["partition"],
        )
    cls = AssetObservation if event_type == "ASSET_OBSERVATION" else AssetMaterialization
    return cls(AssetKey(data["asset"]), data["description"], metadata, data["partition"], data["tags"])
