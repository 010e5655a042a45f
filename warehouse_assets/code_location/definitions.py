"""`Definitions`: everything a project declares, checked together.

It stands above the execution floor because it also gives stored values back, which needs managers that are set up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from warehouse_assets.code_location.automation import check_instigators, jobs_with
from warehouse_assets.code_location.versions import with_versions
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.specs import DEFAULT_IO_MANAGER_KEY
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError, close_matches
from warehouse_assets.garbage import uncollected
from warehouse_assets.graph.asset_graph import AnyAsset, AssetGraph
from warehouse_assets.graph.requirements import (
    missing_resources,
    required_by_checks,
    required_resources,
    resources_and_conflicts,
)
from warehouse_assets.graph.tables import check_stores, check_table_names
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.checks import AssetChecksDefinition
    from warehouse_assets.definitions.job import UnresolvedAssetJobDefinition
    from warehouse_assets.definitions.schedule import ScheduleDefinition
    from warehouse_assets.definitions.sensor import SensorDefinition
    from warehouse_assets.execution.executors import Executor
    from warehouse_assets.execution.job import JobDefinition
    from warehouse_assets.execution.run import RunResult
    from warehouse_assets.execution.table_versions import AsOf
    from warehouse_assets.execution.tables import StoredTables
    from warehouse_assets.graph.selection import CoercibleToAssetSelection
    from warehouse_assets.graph.sql_tables import UnknownTables
    from warehouse_assets.graph.staleness import AssetStatus
    from warehouse_assets.graph.tracing import Direction, LineageTrace
    from warehouse_assets.html import Drawing
    from warehouse_assets.instance import Instance
    from warehouse_assets.planning.plan import Plan

__all__ = ["AssetValueLoader", "Definitions"]

T = TypeVar("T")


class Definitions:
    """The assets, jobs, schedules and sensors of a project, the checks of its tables, and the resources they run with, examined together.

    The `code_version`, "auto" for example, and `data_version` are those of assets that say nothing of their own. A table that the SQL
    of an asset reads, and that is no asset, is an error; with `unknown_tables` "source" it is one that is there already.
    Raises InvalidDefinitionError, or a group of all faults: those of the graph, missing and conflicting resources, assets that
    would share a table, jobs, schedules and sensors that select what is not there. Jobs that schedules and sensors run need not be given.

    >>> from warehouse_assets import asset
    >>> @asset
    ... def numbers():
    ...     return [1, 2]
    >>> Definitions(assets=[numbers]).graph.executable_keys
    [AssetKey(['numbers'])]
    """

    def __init__(
        self,
        assets: AnyAsset | Iterable[AnyAsset] = (),
        *,
        asset_checks: Iterable[AssetChecksDefinition] = (),
        jobs: Iterable[UnresolvedAssetJobDefinition] = (),
        schedules: Iterable[ScheduleDefinition] = (),
        sensors: Iterable[SensorDefinition] = (),
        resources: Mapping[str, Any] | None = None,
        executor: Executor | None = None,
        code_version: str | None = None,
        data_version: Literal["content"] | None = None,
        unknown_tables: UnknownTables = "error",
    ) -> None:
        self.assets = tuple(assets) if isinstance(assets, Iterable) else (assets,)
        self.asset_checks = tuple(asset_checks)
        if code_version is not None or data_version is not None:
            self.assets = with_versions(self.assets, code_version, data_version)
        self.schedules, self.sensors = tuple(schedules), tuple(sensors)
        self.jobs = jobs_with(jobs, (*self.schedules, *self.sensors)) if self.schedules or self.sensors else tuple(jobs)
        self.executor = executor
        self.unknown_tables: UnknownTables = unknown_tables
        faults = Faults()
        if unknown_tables not in ("source", "error"):
            faults.add(f"unknown_tables is {unknown_tables!r}", hint='It is "source" or "error".', where=caller_place())
        with uncollected():
            self.graph = AssetGraph.attempt(
                [self.assets, self.asset_checks], faults, resources=resources or {}, unknown_tables=unknown_tables
            )
        is_sound = not faults.errors
        self.resources = self._all_resources(dict(resources or {}), faults)
        faults.attempt(check_table_names, self.graph, self.resources)
        faults.attempt(check_stores, self.graph, self.resources)
        self._jobs = self._resolved_jobs(faults, is_sound) if self.jobs else {}
        self._schedules: Mapping[str, ScheduleDefinition] = {}
        self._sensors: Mapping[str, SensorDefinition] = {}
        if self.schedules or self.sensors:
            graph, names = self.graph if is_sound else None, {job.name for job in self.jobs}
            self._schedules, self._sensors = check_instigators(
                self.schedules, self.sensors, faults, graph=graph, jobs=names, resources=self.resources
            )
        faults.settle("the definitions")

    def _all_resources(self, given: dict[str, Any], faults: Faults) -> dict[str, Any]:
        checks = list(self.graph.checks.values())
        merged, conflicts = resources_and_conflicts(given, self.graph, checks)
        faults.errors += [InvalidDefinitionError(conflict.message, where=conflict.where) for conflict in conflicts]
        definitions = [*self.graph.bindings]
        if faults.errors:
            definitions = [definition for definition in definitions if _is_readable(definition)]
            checks = [check for check in checks if check.definition is None or _is_readable(check.definition)]
        needed = required_resources(self.graph, definitions) | required_by_checks(self.graph, checks)
        if not missing_resources(needed, merged):
            return merged
        said: set[str] = set()
        alone = [(required_resources(self.graph, [definition]), definition.place) for definition in definitions]
        alone += [(required_by_checks(self.graph, [check]), check.place) for check in checks]
        for needed, place in alone:  # one after the other, to know where each is declared
            new = {name: why for name, why in needed.items() if name not in said}
            said.update(new)
            for missing in missing_resources(new, merged):
                message, _, hint = missing.partition(". ")
                faults.add(message, hint=hint, where=place)
        return merged

    def _resolved_jobs(self, faults: Faults, is_sound: bool) -> dict[str, JobDefinition]:
        from warehouse_assets.definitions.job import UnresolvedAssetJobDefinition
        from warehouse_assets.execution.job import resolve_job

        declared: dict[str, UnresolvedAssetJobDefinition] = {}
        job: Any
        for job in self.jobs:
            if not isinstance(job, UnresolvedAssetJobDefinition):
                faults.add(f"{job!r} is not a job", hint="Write define_asset_job(name, selection).", where=caller_place())
            elif (other := declared.setdefault(job.name, job)) is not job:
                places = f"{other.place} and {job.place}"
                faults.add(f"job {job.name!r} is defined twice: {places}", hint="Give one of them another name.")
        found = (
            resolve_job(job, self.graph, faults, resources=self.resources, executor=self.executor, plan=is_sound)
            for job in declared.values()
        )
        return {job.name: job for job in found if job is not None}

    def get_job_def(self, name: str) -> JobDefinition:
        """The job of this name, which can run; InvalidSelectionError where there is none."""
        return _named(self._jobs, name, "job")

    resolve_job_def = get_job_def

    def get_schedule_def(self, name: str) -> ScheduleDefinition:
        """The schedule of this name; InvalidSelectionError where there is none."""
        return _named(self._schedules, name, "schedule")

    def get_sensor_def(self, name: str) -> SensorDefinition:
        """The sensor of this name; InvalidSelectionError where there is none."""
        return _named(self._sensors, name, "sensor")

    @classmethod
    def merge(cls, *parts: Definitions) -> Definitions:
        """One Definitions with all that the parts declare; a resource given twice must be the same."""
        resources: dict[str, Any] = {}
        executors = [part.executor for part in parts if part.executor is not None]
        for part in parts:
            for name, value in part.resources.items():
                if name in resources and resources[name] is not value and resources[name] != value:
                    raise InvalidDefinitionError(f"the resource {name!r} is given twice, with different values")
                resources[name] = value
        if any(executor is not executors[0] for executor in executors):
            raise InvalidDefinitionError("several executors are given", hint="Give one.")
        jobs = dict.fromkeys(job for part in parts for job in part.jobs)
        checks = {id(check): check for part in parts for check in part.asset_checks}.values()
        return cls(
            [part.assets for part in parts],
            asset_checks=checks,
            jobs=jobs,
            schedules=dict.fromkeys(one for part in parts for one in part.schedules),
            sensors=dict.fromkeys(one for part in parts for one in part.sensors),
            resources=resources,
            executor=executors[0] if executors else None,
            unknown_tables="source" if any(part.unknown_tables == "source" for part in parts) else "error",
        )

    def materialize(
        self, selection: CoercibleToAssetSelection | None = None, *, instance: Instance | None = None, **options: Any
    ) -> RunResult:
        """Make the selected assets, or all of them, with the resources given here. Takes what `materialize` takes."""
        from warehouse_assets.execution.run import execute_run
        from warehouse_assets.graph.selection import select_checks, select_executable

        options.setdefault("executor", self.executor)
        options.setdefault("tags", {})
        resources = {**self.resources, **options.pop("resources", {})}
        selected = select_executable(self.graph, selection)
        checks = None if selection is None else select_checks(self.graph, selection)
        return execute_run(self.graph, selected, checks=checks, resources=resources, instance=instance, **options)

    def status(
        self,
        selection: CoercibleToAssetSelection | None = None,
        *,
        instance: Instance | None = None,
        partition_key: str | None = None,
    ) -> dict[AssetKey, AssetStatus]:
        """Whether each selected asset, or each of all, is missing, stale or fresh, and why, as the instance remembers it.

        Of partitioned assets it is that of all their partitions together; or that of one partition, for those that have it.
        """
        from warehouse_assets.execution.status import asset_statuses, asset_statuses_for
        from warehouse_assets.graph.selection import select_executable
        from warehouse_assets.instance import Instance

        selected = select_executable(self.graph, selection)
        record = instance if instance is not None else Instance.get(create=False)
        if partition_key is not None:
            return asset_statuses_for(partition_key, self.graph, selected, record)
        return asset_statuses(self.graph, selected, record)

    def plan(
        self,
        selection: CoercibleToAssetSelection | None = None,
        *,
        instance: Instance | None = None,
        partition_key: str | None = None,
        everything: bool = False,
    ) -> Plan:
        """What a run of the selected assets, or of all, would make and why, with which columns, and what would break.

        That is a run of what is missing or stale, or of `everything`. Nothing is written. Of the functions only those are called that
        take nothing but LazyFrames and Tables, and return a LazyFrame or SQL: with tables that have no rows.
        """
        from warehouse_assets.graph.selection import select_executable
        from warehouse_assets.instance import Instance
        from warehouse_assets.planning.planner import make_plan

        selected = select_executable(self.graph, selection)
        record = instance if instance is not None else Instance.get(create=False)
        with self.stored_tables(instance=record) as tables:
            return make_plan(tables, selected, record, partition_key=partition_key, everything=everything)

    def load_asset_value(
        self,
        key: CoercibleToAssetKey,
        *,
        as_type: Any = None,
        instance: Instance | None = None,
        columns: Iterable[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        partition_key: str | None = None,
        as_of: AsOf | None = None,
    ) -> Any:
        """The stored value of an asset or source, as `as_type` (a class such as `pl.LazyFrame`), or as the manager chooses.

        Of a partitioned one it is all partitions there are, or the one of `partition_key`; of a table only `columns`, the rows
        for which the SQL condition `where` holds, and no more than `limit`. `as_of` is the id of a run, a time or a version: the
        table as it was then, in stores that keep earlier versions.
        """
        with self.get_asset_value_loader(instance=instance) as loader:
            return loader.load_asset_value(
                key, as_type=as_type, columns=columns, where=where, limit=limit, partition_key=partition_key, as_of=as_of
            )

    @contextmanager
    def get_asset_value_loader(self, *, instance: Instance | None = None) -> Iterator[AssetValueLoader]:
        """A loader of stored values: resources start when they are needed, and are torn down with the block."""
        with self.stored_tables(instance=instance) as tables:
            yield AssetValueLoader(tables)

    @contextmanager
    def stored_tables(self, *, instance: Instance | None = None, reads_only: bool = False) -> Iterator[StoredTables]:
        """The stored tables of all assets and sources, while the block lasts; stores that can be are opened read-only with `reads_only`."""

        from warehouse_assets.execution.resources import DefaultIOManager, ResourcePool
        from warehouse_assets.execution.tables import StoredTables

        def record() -> Instance:
            from warehouse_assets.instance import Instance

            return instance if instance is not None else Instance.get()

        resources = {DEFAULT_IO_MANAGER_KEY: DefaultIOManager(record), **self.resources}
        pool = ResourcePool(resources, instance=instance)
        try:
            yield StoredTables(self.graph, pool, instance=instance, reads_only=reads_only)
        finally:
            pool.close()

    def lineage(self, selection: CoercibleToAssetSelection | None = None) -> Drawing:
        """The assets and sources, or a selection of them, as a drawing of what each is made from, for notebooks."""
        return self.graph.lineage(selection)

    def column_lineage(
        self,
        key: CoercibleToAssetKey,
        column: str | None = None,
        *,
        direction: Direction = "upstream",
        depth: int | None = None,
        rows: bool = False,
        instance: Instance | None = None,
    ) -> LineageTrace:
        """What a column of a table is made from, or what is made from it, across assets and stores; or all its columns.

        It is as recorded with the latest materializations, and as SQL says for what was never made. At most `depth` tables away;
        with `rows`, columns that decide which rows a table has are among the links. InvalidSelectionError for what is not there.
        """
        from warehouse_assets.code_location.column_lineage import traced
        from warehouse_assets.instance import Instance

        asset_key = AssetKey.coerce(key)
        if asset_key not in self.graph:
            hint = self.graph.unknown_key_error(asset_key)
            raise InvalidSelectionError(f"there is no asset {asset_key.to_user_string()!r}", hint=hint)
        record = instance if instance is not None else Instance.get(create=False)
        return traced(self, asset_key, column, direction, depth, rows=rows, instance=record)

    def _repr_html_(self) -> str:
        from warehouse_assets.html import drawn

        return drawn(self, lambda: self.lineage().html)

    def __repr__(self) -> str:
        return f"<Definitions: {len(self.graph.executable_keys)} assets, {len(self.graph) - len(self.graph.executable_keys)} sources>"


class AssetValueLoader:
    """Loads stored values of assets, outside of any run."""

    def __init__(self, tables: StoredTables) -> None:
        self._tables = tables

    def load_asset_value(
        self,
        key: CoercibleToAssetKey,
        *,
        as_type: Any = None,
        columns: Iterable[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        partition_key: str | None = None,
        as_of: AsOf | None = None,
    ) -> Any:
        """The stored value of an asset or source, as `as_type`, of one partition or the whole.

        Of a table it is only these `columns`, the rows for which the SQL condition `where` holds, and no more than `limit`; `as_of`
        the run, the time or the version that is given.
        """
        from warehouse_assets.execution.tables import part_asked_for

        metadata = part_asked_for(columns, where, limit)
        return self._tables.load(AssetKey.coerce(key), as_type, metadata=metadata, partition_key=partition_key, as_of=as_of)


def _named(known: Mapping[str, T], name: str, what: str) -> T:
    if name not in known:
        hint = close_matches(name, list(known)) or f"There are {', '.join(map(repr, sorted(known))) or 'none'}."
        raise InvalidSelectionError(f"there is no {what} {name!r}", hint=hint)
    return known[name]


def _is_readable(definition: AssetsDefinition | AssetChecksDefinition) -> bool:
    """Whether the annotations of its function can be resolved; else that is noted already."""
    try:
        return definition.function.parameters is not None
    except InvalidDefinitionError:
        return False
