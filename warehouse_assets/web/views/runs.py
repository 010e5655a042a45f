"""Runs as pages and the API show them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.evaluation import SCHEDULE_TAG, SENSOR_TAG
from warehouse_assets.automation.reruns import PARENT_RUN_TAG
from warehouse_assets.automation.runs import Runs, StepSummary, steps_of
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.events import (
    PARTITION_RANGE_END_TAG,
    PARTITION_RANGE_START_TAG,
    PARTITION_TAG,
    ErrorInfo,
    Event,
    EventType,
    LogEntry,
    RunRecord,
    RunStatus,
)
from warehouse_assets.instance.event_log import EventFilter
from warehouse_assets.instance.upkeep import BACKFILL_TAG
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import metadata_to_json
from warehouse_assets.web.answers.asset_settings import shown

if TYPE_CHECKING:
    from warehouse_assets.web.site import Site

__all__ = [
    "LogLine",
    "MadeTable",
    "RunHead",
    "RunRow",
    "RunView",
    "Trouble",
    "config_text",
    "frames_of",
    "log_lines",
    "made_by",
    "run_head",
    "run_rows",
    "run_view",
    "status_counts",
    "step_names",
    "tags_of",
    "trouble_of",
]

OVER: tuple[RunStatus, ...] = ("SUCCESS", "FAILURE", "CANCELED")
ACTIVE: tuple[RunStatus, ...] = ("QUEUED", "STARTING", "STARTED", "CANCELING")
_OWN = "warehouse_assets/"
_LOOKED_BACK = 5_000
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line \d+', re.MULTILINE)
_LIBRARY = re.compile(r"(^|/)(site-packages|dist-packages|lib/python3\.\d+|warehouse_assets|io_managers)/|^<frozen ")
_QUIET = ("STEP_START", "RUN_ENQUEUED", "RUN_STARTING")
_BAD = ("STEP_FAILURE", "RUN_FAILURE")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Cause:
    """Who or what asked for a run, and where that is shown."""

    kind: str
    name: str = ""
    href: str | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list. Times are seconds since the epoch."""

    run: RunRecord
    what: str
    cause: Cause
    partition: str | None
    tags: Mapping[str, str]
    error: str | None = None

    @property
    def duration(self) -> float | None:
        """Seconds that it ran, or has run so far."""
        if self.run.started is None:
            return None
        return (self.run.ended or time.time()) - self.run.started

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.run.status in ACTIVE


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a step or run failed: the exception, the frames of the person's own code, and those of libraries around them."""

    where: str | None
    exception: str
    own: str
    libraries: str
    at: float
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event of a run as a line of its log."""

    event_id: int
    at: float
    step: str | None
    level: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class MadeTable:
    """A table that a run made: its rows and bytes where the store told."""

    key: AssetKey
    partition: str | None
    rows: int | None
    bytes: int | None
    event_id: int


@dataclass(frozen=True, slots=True)
class RunHead:
    """What the head of the page of a run says: how it stands, and what went wrong."""

    row: RunRow
    troubles: Sequence[Trouble]
    parent: str | None


@dataclass(frozen=True, slots=True)
class RunView:
    """All that is known of a run but its log."""

    row: RunRow
    steps: Sequence[StepSummary]
    waiting: Sequence[str]
    troubles: Sequence[Trouble]
    made: Sequence[MadeTable]
    parent: str | None


def run_rows(
    site: Site,
    *,
    statuses: Collection[RunStatus] = (),
    job: str | None = None,
    tags: Mapping[str, str] | None = None,
    cursor: str | None = None,
    asset: AssetKey | None = None,
    limit: int = 50,
) -> list[RunRow]:
    """Runs, the last one first, with why those that failed did; those of an asset are those that the record of the asset tells of."""
    told = None if asset is None else _runs_of(site, asset)
    runs = site.instance.get_runs(statuses=statuses, job_name=job, tags=tags, run_ids=told, limit=limit, cursor=cursor)
    return [_row(run, _reason(site, run) if run.status == "FAILURE" else None) for run in runs]


def status_counts(site: Site) -> Mapping[RunStatus, int]:
    """How many runs there are of each status."""
    return site.instance.event_log.get_run_counts()


def tags_of(texts: Iterable[str]) -> dict[str, str]:
    """Tags from texts as `team=shop`; InvalidInvocationError for others.

    >>> tags_of(["team=shop", "note=a=b"])
    {'team': 'shop', 'note': 'a=b'}
    """
    tags = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InvalidInvocationError(f"{text!r} is no tag", hint="A tag is NAME=VALUE.")
        tags[name.strip()] = value.strip()
    return tags


def run_head(site: Site, run: RunRecord) -> RunHead:
    """How a run stands, and what went wrong."""
    types: tuple[EventType, ...] = ("STEP_FAILURE", "RUN_FAILURE", "RUN_CANCELED")
    events = site.instance.get_event_records(run_id=run.run_id, event_types=types)
    return RunHead(_row(run, _end_of(events)), _troubles(events), run.tags.get(PARENT_RUN_TAG))


def config_text(run: RunRecord) -> str:
    """The configuration of a run as JSON, in which secrets are hidden."""
    return json.dumps(_without_secrets("", run.config), indent=2, ensure_ascii=False) if run.config else ""


def made_by(site: Site, run: RunRecord) -> list[MadeTable]:
    """The tables that a run made."""
    types: tuple[EventType, ...] = ("ASSET_MATERIALIZATION",)
    return _made(site.instance.get_event_records(run_id=run.run_id, event_types=types))


def run_view(site: Site, run: RunRecord) -> RunView:
    """A run, its steps, what it made, and what went wrong."""
    types: tuple[EventType, ...] = (
        "STEP_START",
        "STEP_SUCCESS",
        "STEP_FAILURE",
        "STEP_SKIPPED",
        "STEP_UP_TO_DATE",
        "STEP_UP_FOR_RETRY",
        "ASSET_MATERIALIZATION",
        "RUN_FAILURE",
        "RUN_CANCELED",
    )
    events = site.instance.get_event_records(run_id=run.run_id, event_types=types)
    steps = steps_of(events, over=run.status in OVER)
    begun = {step.key for step in steps}
    waiting = [] if run.status in OVER else [key for key in step_names(run) if key not in begun]
    return RunView(_row(run, _end_of(events)), steps, waiting, _troubles(events), _made(events), run.tags.get(PARENT_RUN_TAG))


def trouble_of(event: Event) -> Trouble | None:
    """What went wrong, of an event that tells so."""
    error = event.error
    if error is None:
        return None
    own, libraries = frames_of(error)
    text = f"{error.cls_name}: {error.message}" if error.message else error.cls_name
    return Trouble(event.step_key, text, own, libraries, event.timestamp, metadata_to_json(error.metadata))


def log_lines(
    site: Site,
    run: RunRecord,
    *,
    after: int | None = None,
    before: int | None = None,
    step: str | None = None,
    level: str | None = None,
    text: str | None = None,
    limit: int = 300,
) -> list[LogLine]:
    """Lines of the log of a run in their order: those after an event, or else the last ones, as far as they fit the filter."""
    log, found = site.instance.event_log, list[LogLine]()
    ascending = after is not None
    while len(found) < limit:
        where = EventFilter(run_id=run.run_id, after=after, before=before)
        events = log.get_events(where, limit=1000, ascending=ascending)
        found += [line for event in events if _fits(line := _line(event), step, level, text)]
        if len(events) < 1000:
            break
        after, before = (events[-1].storage_id, None) if ascending else (None, events[-1].storage_id)
    found = found[:limit]
    return found if ascending else found[::-1]


def _without_secrets(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_secrets(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(name, item) for item in value]
    return shown(name, value) if isinstance(value, str) else value


def _row(run: RunRecord, error: str | None) -> RunRow:
    tags = run.tags
    partition = tags.get(PARTITION_TAG)
    if PARTITION_RANGE_START_TAG in tags:
        partition = f"{tags[PARTITION_RANGE_START_TAG]} … {tags.get(PARTITION_RANGE_END_TAG, '')}"
    names = [key.to_user_string() for key in run.asset_keys]
    if run.job_name is not None:
        what = run.job_name
    elif len(names) > 2:
        what = f"{names[0]} and {len(names) - 1:,} more"
    else:
        what = ", ".join(names) or f"{len(run.check_keys or ()):,} checks"
    own = {name: value for name, value in tags.items() if not name.startswith(_OWN)}
    return RunRow(run, what, _cause(run), partition, own, error)


def _cause(run: RunRecord) -> Cause:
    location = run.location.name if run.location is not None else ""
    for tag, kind in ((SCHEDULE_TAG, "schedule"), (SENSOR_TAG, "sensor")):
        if tag in run.tags:
            return Cause(kind, run.tags[tag], f"/automation/{location}/{run.tags[tag]}")
    if BACKFILL_TAG in run.tags:
        return Cause("backfill", run.tags[BACKFILL_TAG], f"/backfills/{run.tags[BACKFILL_TAG]}")
    if PARENT_RUN_TAG in run.tags:
        return Cause("again", run.tags[PARENT_RUN_TAG][:8], f"/runs/{run.tags[PARENT_RUN_TAG]}")
    return Cause("by hand")


def _reason(site: Site, run: RunRecord) -> str | None:
    """Why a run failed, in a line: what its first step to fail said, or the run itself."""
    failed: tuple[EventType, ...] = ("STEP_FAILURE",)
    events = site.instance.get_event_records(run_id=run.run_id, event_types=failed, limit=1, ascending=True)
    return f"{events[0].step_key}: {events[0].message}" if events else Runs(site.instance).error(run)


def step_names(run: RunRecord) -> list[str]:
    """The steps that a run is to have, by name."""
    return [key.to_escaped_string() for key in run.asset_keys]


def _end_of(events: Sequence[Event]) -> str | None:
    """What a run said as it failed or was canceled."""
    return next((event.message for event in reversed(events) if event.event_type in ("RUN_FAILURE", "RUN_CANCELED")), None)


def _runs_of(site: Site, asset: AssetKey) -> list[str]:
    where = EventFilter(asset_key=asset)
    events = site.instance.event_log.get_events(where, limit=_LOOKED_BACK, ascending=False)
    return list(dict.fromkeys(event.run_id for event in events if event.run_id is not None))


def _troubles(events: Iterable[Event]) -> list[Trouble]:
    """What went wrong at last in each step, and in the run itself where no step says why."""
    failed = {event.step_key: event for event in events if event.event_type in _BAD and event.error is not None}
    if len(failed) > 1:
        failed.pop(None, None)
    return [trouble for event in failed.values() if (trouble := trouble_of(event)) is not None]


def _made(events: Iterable[Event]) -> list[MadeTable]:
    made = []
    for event in events:
        if (told := event.asset_materialization) is not None:
            values = told.metadata
            rows, size = (
                next((values[name].value for name in names if name in values), None)
                for names in (("row_count", "partition_row_count"), ("byte_size", "partition_byte_size"))
            )
            made.append(MadeTable(told.asset_key, told.partition, rows, size, event.storage_id or 0))
    return made


def frames_of(error: ErrorInfo) -> tuple[str, str]:
    """The frames of a traceback, those of the person's code and all of them."""
    own, stack = [], error.stack.rstrip()
    for part in re.split(r"(?m)^(?=  File \")", stack):
        frame = _FRAME.match(part)
        if frame is not None and not _LIBRARY.search(frame["file"].replace("\\", "/")):
            own.append(re.split(r"(?m)^(?=\S)", part)[0].rstrip())
    return "\n".join(own), stack


def _line(event: Event) -> LogLine:
    level = event.data.level if isinstance(event.data, LogEntry) else "INFO"
    if event.event_type in _BAD:
        level = "ERROR"
    elif event.event_type in _QUIET:
        level = "DEBUG"
    evaluation = event.asset_check_evaluation
    if evaluation is not None and not evaluation.passed:
        level = "ERROR" if evaluation.failed else "WARNING"
    text = event.message or _checked_text(event) or _made_text(event)
    return LogLine(event.storage_id or 0, event.timestamp, event.step_key, level, event.event_type, text)


def _checked_text(event: Event) -> str:
    """How a check went, of an event that tells so."""
    told = event.asset_check_evaluation
    if told is None:
        return ""
    word = "passed" if told.passed else "failed" if told.failed else "warned"
    return f"{told.check_name} {word}" + (f": {told.description}" if told.description else "")


def _made_text(event: Event) -> str:
    """What was made, of an event that tells so."""
    for one in _made([event]):
        key = one.key.to_user_string()
        sizes = [f"{one.rows:,} rows" if one.rows is not None else "", f"{one.bytes:,} bytes" if one.bytes is not None else ""]
        parts = [key if one.partition is None else f"{key} of {one.partition}", *filter(None, sizes)]
        return ", ".join(parts)
    return ""


def _fits(line: LogLine, step: str | None, level: str | None, text: str | None) -> bool:
    rank = {name: number for number, name in enumerate(_LEVELS)}
    return (
        (not step or line.step == step)
        and (not level or rank.get(line.level, 1) >= rank.get(level, 0))
        and (not text or text.lower() in f"{line.step} {line.kind} {line.text}".lower())
    )
