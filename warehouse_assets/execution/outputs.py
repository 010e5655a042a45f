"""What a function gives: which output each piece of it is of, and how it is stored and recorded."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from warehouse_assets.column_lineage import COLUMN_LINEAGE
from warehouse_assets.definitions.assets import AssetOutput
from warehouse_assets.definitions.check_specs import AssetCheckResult
from warehouse_assets.definitions.outputs import NO_VALUE, MaterializeResult, Output
from warehouse_assets.errors import InvalidOutputError
from warehouse_assets.events import AssetMaterialization, AssetObservation, Event
from warehouse_assets.execution.check_plan import NO_CHECKS
from warehouse_assets.execution.content import content_version
from warehouse_assets.io_manager.powers import RunsSQL
from warehouse_assets.keys import AssetKey, user_strings
from warehouse_assets.metadata import SQL_TEXT, MetadataValue
from warehouse_assets.sql.value import SQL

if TYPE_CHECKING:
    from warehouse_assets.execution.checks import CheckResults
    from warehouse_assets.execution.context import AssetExecutionContext
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.execution.session import RunSession
    from warehouse_assets.io_manager.contexts import OutputContext

__all__ = ["OutputTaker", "name_of", "output_name", "pieces"]


def name_of(step: Step) -> str:
    """The step as a message calls it."""
    if not step.outputs:
        return f"check {step.key!r}"
    keys = user_strings(step.asset_keys)
    return f"asset {keys!r}" if len(step.definition.outputs) == 1 else f"{step.definition.node_name!r} ({keys})"


def pieces(result: Any, declared: Collection[str], selected: Collection[str], who: str) -> Iterable[tuple[str | None, Any]]:
    """What a function returned or yielded, piece by piece, each with the output that it is of by its place (None: it says so itself).

    Raises InvalidOutputError for one value where several outputs are declared.
    """
    if inspect.isgenerator(result):
        return ((None, item) for item in result)
    if len(declared) == 1:
        return [(next(iter(declared)), result)]
    if isinstance(result, (Output, MaterializeResult)):
        return [(None, result)]
    if isinstance(result, (tuple, list)) and len(result) == len(selected):
        return zip(selected, result, strict=True)
    if result is None:
        return ()
    chosen = f", {len(selected)} of them selected" if len(selected) < len(declared) else ""
    given = f"a {type(result).__name__} of {len(result)}" if isinstance(result, (tuple, list)) else "one value"
    raise InvalidOutputError(
        f"{who} has {len(declared)} outputs{chosen}, and {given} was returned",
        hint="Return a tuple with a value for each, or yield an Output for each.",
    )


def output_name(item: Output[Any], place: str | None, declared: Collection[str], who: str) -> str:
    """The output that an `Output` is of: the one it names, or, where it names none, the one of its place."""
    if item.output_name in declared:
        return item.output_name
    if item.output_name == "result" and (place is not None or len(declared) == 1):
        return place or next(iter(declared))
    raise InvalidOutputError(f"{who} has no output {item.output_name!r}; it has {sorted(declared)}")


class OutputTaker:
    """Takes what a function returns or yields, stores it, and collects the events."""

    def __init__(self, session: RunSession, step: Step, context: AssetExecutionContext, events: list[Event]) -> None:
        self.session = session
        self.step = step
        self.context = context
        self.events = events
        self.taken: set[str] = set()
        self._checks: CheckResults | None = None

    def take_all(self, result: Any) -> None:
        """Take a returned value, a tuple with one for each output, or what a generator yields."""
        declared = self.step.definition.outputs
        if len(declared) == 1 and not inspect.isgenerator(result):
            self.take(result, next(iter(declared)))
            return
        if inspect.isgenerator(result):
            for place, item in pieces(result, declared, declared, self._name):
                self.take(item, place)
            return
        chosen = {output.name: index for index, output in enumerate(self.step.outputs)}
        named = list(pieces(result, declared, [name for name in declared if name in chosen], self._name))
        named.sort(key=lambda piece: chosen.get(self._output_of(piece[1], piece[0]).name, 0))  # internal dependencies first
        for place, item in named:
            self.take(item, place)

    def take(self, item: Any, place: str | None = None) -> None:
        """One piece; `place` is the output that it is of unless it says so itself."""
        if isinstance(item, (AssetMaterialization, AssetObservation)):
            observed = isinstance(item, AssetObservation)
            self.events.append(
                self.session.event("ASSET_OBSERVATION" if observed else "ASSET_MATERIALIZATION", self.step, data=item)
            )
            return
        if isinstance(item, AssetCheckResult):
            self._take_check_result(item)
            return
        output = self._output_of(item, place)
        if not isinstance(item, (Output, MaterializeResult)):
            self._take_value(output, item)
            return
        self._check_expected(output)
        for result in item.check_results if isinstance(item, MaterializeResult) else ():
            self._take_check_result(result, output.spec.key)
        if item.value is NO_VALUE:
            self._record(output, item.metadata, item.data_version, item.tags)
        else:
            self._store(output, item.value, item.metadata, item.data_version, item.tags)

    def finish(self) -> Collection[AssetKey]:
        """The assets that were not made; a missing required one is an error."""
        if self._checks is not None or self.step.checks.own:
            self._conclude_checks()
        missing = [output for output in self.step.outputs if output.name not in self.taken]
        if not missing:
            return ()
        required = [output.spec.key for output in missing if output.is_required and output.stored]
        if required:
            raise InvalidOutputError(
                f"{self._name} gave no value for {user_strings(required)}",
                hint="Yield an Output for each, or declare it as one that is not required.",
            )
        for output in [output for output in missing if output.is_required]:
            self._record(output, {}, None, {})
        return [output.spec.key for output in missing if not output.is_required]

    def _output_of(self, item: Any, place: str | None) -> AssetOutput:
        outputs = self.step.definition.outputs
        if isinstance(item, Output):
            return outputs[output_name(item, place, outputs, self._name)]
        if isinstance(item, MaterializeResult):
            return self._output_for(item.asset_key, place)
        if place is None:
            raise InvalidOutputError(
                f"{self._name} yields a value of type {type(item).__qualname__}", hint="Yield Output(value)."
            )
        return outputs[place]

    def _output_for(self, key: AssetKey | None, place: str | None) -> AssetOutput:
        definition = self.step.definition
        if key is not None:
            if key in definition.keys:
                return definition.output_for(key)
            raise InvalidOutputError(f"{self._name} does not make the asset {key.to_user_string()!r}")
        if place is not None:
            return definition.outputs[place]
        if len(self.step.outputs) != 1:
            raise InvalidOutputError(f"{self._name} makes several assets, and a result does not say which it is of")
        return self.step.outputs[0]

    def _take_value(self, output: AssetOutput, value: Any) -> None:
        if value is None and not output.stored:
            return  # recorded when all is taken
        if self.step.definition.function.returns_nothing:
            raise InvalidOutputError(
                f"{self._name} is annotated `-> None` and returned a value of type {type(value).__qualname__}",
                hint="Remove the annotation so that the value is stored.",
            )
        self._check_expected(output)
        self._store(output, value, {}, None, {})

    def _store(
        self,
        output: AssetOutput,
        value: Any,
        metadata: Mapping[str, MetadataValue],
        data_version: str | None,
        tags: Mapping[str, str],
    ) -> None:
        """Hand a value to the I/O manager, and record the write with all that was said of it."""
        key = output.spec.key
        if not output.stored and value is None:
            return self._record(output, metadata, data_version, tags)
        manager = self.session.tables.manager_of(key)
        if isinstance(value, SQL) and not isinstance(manager, RunsSQL):
            raise InvalidOutputError(
                f"asset {key.to_user_string()!r} gave SQL, and its I/O manager {type(manager).__name__} runs none",
                hint="Use a manager of tables, such as DuckDBIOManager.",
            )
        if isinstance(value, SQL):
            metadata = {SQL_TEXT: MetadataValue.text(value.render()[0]), **metadata}
        if self._checks is not None:
            self._checks.raise_blocking(key, "The stored table is as it was before.")
        told = self.session.output_context(self.step, key)
        sql = value if isinstance(value, SQL) else None
        if key in self.step.checks.guards:
            from warehouse_assets.execution.checks import store_checked

            refused = store_checked(self.session, self.step, told, value, self.context.retry_number + 1, self.events)
            self._record(output, metadata, data_version, tags, told, sql)
            if refused is not None:
                raise refused
            return None
        entries = manager.handle_output(told, value)
        if entries is not None:
            for entry in entries:
                told.add_output_metadata(entry)
        return self._record(output, metadata, data_version, tags, told, sql)

    def _record(
        self,
        output: AssetOutput,
        metadata: Mapping[str, MetadataValue],
        data_version: str | None,
        tags: Mapping[str, str],
        told: OutputContext | None = None,
        sql: SQL | None = None,
    ) -> None:
        self.taken.add(output.name)
        spec = output.spec
        said = {**metadata, **self.context.metadata_for(spec.key)}
        merged = {**said, **(told.output_metadata if told is not None else {})}
        if COLUMN_LINEAGE in said:  # the person who wrote the function knows best
            merged[COLUMN_LINEAGE] = said[COLUMN_LINEAGE]
        elif told is not None and sql is not None:
            merged[COLUMN_LINEAGE] = self.session.column_lineage.of(told, sql)
        given = data_version or self.context.data_version_for(spec.key)
        for partition in self.session.versions.made(spec.key):
            version = given
            if given is None and told is not None and spec.data_version is not None:
                version = content_version(self.session.tables, told, partition)
            versions = self.session.versions.tags(spec.key, version, partition)
            if tags:
                versions = {**tags, **versions}
            made = AssetMaterialization(spec.key, metadata=merged, partition=partition, tags=versions)
            self.events.append(self.session.event("ASSET_MATERIALIZATION", self.step, data=made))
        if told is None and self.step.checks is not NO_CHECKS:
            self._check_written(spec.key)

    def _take_check_result(self, result: Any, key: AssetKey | None = None) -> None:
        """The result of a check that the function evaluates itself."""
        if not self.step.definition.check_specs:
            raise InvalidOutputError(f"{self._name} gives check results, and declares no checks")
        if not isinstance(result, AssetCheckResult):
            raise InvalidOutputError(f"{self._name} gave {result!r} as the result of a check", hint="Give an AssetCheckResult.")
        self._own_checks().take(result, key)
        for output in self.step.outputs:
            if output.name in self.taken:
                self._own_checks().raise_blocking(output.spec.key, "It is stored already, and what depends on it is not made.")

    def _own_checks(self) -> CheckResults:
        if self._checks is None:
            from warehouse_assets.execution.checks import CheckResults

            self._checks = CheckResults(self.session, self.step, self._name, self.step.definition.check_specs, self.events)
        return self._checks

    def _check_written(self, key: AssetKey) -> None:
        """Evaluate the blocking checks of a table that the function stored itself."""
        if key in self.step.checks.guards:
            from warehouse_assets.execution.checks import check_published

            if (
                refused := check_published(self.session, self.step, key, self.context.retry_number + 1, self.events)
            ) is not None:
                raise refused

    def _conclude_checks(self) -> None:
        """Raise where a blocking check failed, or one has no result though its asset was made."""
        checks = self._own_checks()
        for key in self.step.asset_keys:
            checks.raise_blocking(key, "What depends on it is not made.")
        unmade = {output.spec.key for output in self.step.outputs if output.name not in self.taken and not output.is_required}
        checks.require(spec for key, spec in self.step.checks.own.items() if key.asset_key not in unmade)

    def _check_expected(self, output: AssetOutput) -> None:
        key = output.spec.key.to_user_string()
        if not any(output is other for other in self.step.outputs):
            raise InvalidOutputError(
                f"{self._name} gave {key!r}, which is not selected", hint="Ask context.selected_output_names."
            )
        if output.name in self.taken:
            raise InvalidOutputError(f"{self._name} gave {key!r} twice")
        if output.internal_deps:
            self._check_order(output)

    def _check_order(self, output: AssetOutput) -> None:
        for other in self.step.outputs:
            if other.spec.key in output.internal_deps and other.name not in self.taken:
                raise InvalidOutputError(
                    f"{self._name} gave {output.spec.key.to_user_string()!r} before {other.spec.key.to_user_string()!r}, "
                    "which it depends on",
                    hint="Yield the outputs in the order of their dependencies.",
                )

    @property
    def _name(self) -> str:
        return name_of(self.step)
