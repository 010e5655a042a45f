"""Starting runs: what a launch would run, what it can be given, and the run or backfill that comes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.events import CodeLocation
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["ConfigOf", "Launch", "LaunchForm", "Launched", "launch", "launch_form", "prepared"]

SHOWN_PARTITIONS = 1000
SHOWN_ASSETS = 100


class Launch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wants to run: assets, or a selection, or a job, or some assets of a job.

    `also` is upstream or downstream for what the assets are made from, or what is made from them. `partitions` are none for all of a table, one, or the first and last of a range. A range is made by a backfill, a run for each partition,
    unless `one_run` is set. `states` is whether the form tells them.
    """

    location: CodeLocation
    assets: tuple[tuple[str, ...], ...] = ()
    selection: str | None = None
    job: str | None = None
    also: str = ""
    only_stale: bool = False
    partitions: tuple[str, ...] = ()
    missing: bool = False
    one_run: bool = False
    config: dict[str, Any] = {}
    tags: dict[str, str] = {}
    states: bool = False


class Launched(msgspec.Struct, frozen=True, omit_defaults=True):
    """The run or backfill that was asked for; neither where there was nothing to do."""

    run_id: str | None = None
    backfill_id: str | None = None
    count: int = 0


class ConfigOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """The configuration of one step: its name in the run configuration, the JSON schema of it, and whether more must be said.

    `given` is what the job says of it, which what is said here replaces.
    """

    name: str
    schema: dict[str, Any]
    required: bool
    given: dict[str, Any] = {}


class LaunchForm(msgspec.Struct, frozen=True, omit_defaults=True):
    """What would run, and what it can be given: partitions are some at both ends where there are many, `states` those of the first assets."""

    assets: tuple[tuple[str, ...], ...]
    states: tuple[str, ...] = ()
    configs: tuple[ConfigOf, ...] = ()
    partition_count: int | None = None
    first_partitions: tuple[str, ...] = ()
    last_partitions: tuple[str, ...] = ()
    tags: dict[str, str] = {}


def launch(definitions: Definitions, request: Launch) -> Launched:
    """Check what is asked for as the run itself would, and have the record keep it: the run waits, or the daemon makes the backfill."""
    from warehouse_assets.automation.submission import run_for
    from warehouse_assets.partitions.definition import PartitionKeyRange

    instance = the_instance()
    selected = _selected(definitions, request)
    if not selected:
        return Launched()
    if (len(request.partitions) > 1 and not request.one_run) or request.missing:
        return _backfill(definitions, request, selected)
    chosen: dict[str, Any] = {}
    if len(request.partitions) == 1:
        chosen["partition_key"] = request.partitions[0]
    elif request.partitions:
        chosen["partition_key_range"] = PartitionKeyRange(request.partitions[0], request.partitions[-1])
    run = run_for(
        definitions,
        request.location,
        job_name=request.job,
        selection=None if request.job is not None and not _is_narrowed(request) else selected,
        run_config=request.config or None,
        tags=request.tags,
        instance=instance,
        **chosen,
    )
    (added,) = instance.event_log.add_runs([run])
    return Launched(run_id=added.run_id, count=len(added.asset_keys))


def launch_form(definitions: Definitions, request: Launch) -> LaunchForm:
    """What a launch would run, and what it can be given."""
    graph = definitions.graph
    keys = _selected(definitions, request)
    partitions = next((found for key in keys if (found := graph.nodes[key].spec.partitions_def) is not None), None)
    names: list[str] = [] if partitions is None else list(partitions.get_partition_keys(None, the_instance()))
    return LaunchForm(
        tuple(key.path for key in keys),
        tuple(_states(definitions, keys)) if request.states else (),
        tuple(_configs(definitions, keys, request.job)),
        None if partitions is None else len(names),
        tuple(names[:SHOWN_PARTITIONS]),
        tuple(names[-SHOWN_PARTITIONS:]) if len(names) > SHOWN_PARTITIONS else (),
        dict(definitions.get_job_def(request.job).run_tags) if request.job is not None else {},
    )


def prepared(definitions: Definitions, request: None) -> None:
    """Load what a launch needs: the first one would wait for it."""
    from warehouse_assets.automation import submission  # noqa: F401
    from warehouse_assets.execution import status  # noqa: F401

    the_instance().get_runs(limit=1)


def _selected(definitions: Definitions, request: Launch) -> list[AssetKey]:
    """The assets that are meant, which a run can make."""
    from warehouse_assets.execution.status import asset_statuses
    from warehouse_assets.graph.selection import AssetSelection, select_executable

    graph = definitions.graph
    wanted: Any = [AssetKey(path) for path in request.assets] or request.selection
    if request.also and wanted:
        chosen = AssetSelection.of(wanted)
        wanted = chosen.upstream() if request.also == "upstream" else chosen.downstream()
    if request.job is not None:
        found = definitions.get_job_def(request.job).select(wanted)
    else:
        found = select_executable(graph, wanted)
    if request.only_stale:
        states = asset_statuses(graph, found, the_instance())
        found = {key for key, status in states.items() if status.state != "fresh"}
    return [key for key in graph.order if key in found]


def _states(definitions: Definitions, keys: list[AssetKey]) -> list[str]:
    """How the first of these assets stand."""
    from warehouse_assets.execution.status import asset_statuses

    shown = keys[:SHOWN_ASSETS]
    states = asset_statuses(definitions.graph, shown, the_instance())
    return [states[key].state if key in states else "" for key in shown]


def _is_narrowed(request: Launch) -> bool:
    return bool(request.assets or request.selection or request.only_stale)


def _backfill(definitions: Definitions, request: Launch, selected: list[AssetKey]) -> Launched:
    from warehouse_assets.automation.backfill_requests import WhichPartitions, request_backfill
    from warehouse_assets.partitions.definition import PartitionKeyRange

    ends = request.partitions
    which = WhichPartitions(key_range=PartitionKeyRange(ends[0], ends[-1]) if ends else None, missing=request.missing)
    asked = request_backfill(
        definitions.graph,
        the_instance(),
        selected,
        which,
        now=time.time(),
        location=request.location,
        run_config=request.config or None,
        tags=request.tags,
    )
    return Launched(backfill_id=asked.backfill_id, count=len(selected))


def _configs(definitions: Definitions, keys: list[AssetKey], job: str | None) -> Iterator[ConfigOf]:
    """What can be configured of these assets, once for each function."""
    seen = set()
    ops: Mapping[str, Any] = definitions.get_job_def(job).config.to_dict().get("ops", {}) if job is not None else {}
    for key in keys:
        made = definitions.graph.nodes[key].definition
        if made is None or made.graph is not None or made in seen:
            continue
        seen.add(made)
        if (parameter := made.function.config_parameter) is None:
            continue
        schema: Mapping[str, Any] = (
            {"type": "object", "additionalProperties": True} if parameter[1] is None else _schema(parameter[1])
        )
        given: dict[str, Any] = next(
            (ops[name]["config"] for name in (key.to_user_string(), made.node_name) if "config" in ops.get(name, {})), {}
        )
        yield ConfigOf(key.to_user_string(), dict(schema), not given.keys() >= set(schema.get("required", ())), dict(given))


def _schema(config: Any) -> Mapping[str, Any]:
    schema: dict[str, Any] = config.model_json_schema()
    return schema
