"""One attempt at one step: load the inputs, call the function, store what it gives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.assets import AssetOutput
from warehouse_assets.definitions.outputs import NO_VALUE, MaterializeResult, Output
from warehouse_assets.errors import InvalidOutputError
from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, AssetMaterialization, AssetObservation, Event
from warehouse_assets.execution.context import AssetExecutionContext
from warehouse_assets.io_manager.contexts import OutputContext
from warehouse_assets.io_manager.powers import RunsSQL
from warehouse_assets.keys import AssetKey, user_strings
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.sql.value import SQL

if TYPE_CHECKING:
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.execution.session import RunSession

__all__ = ["StepOutcome", "execute_step"]


@dataclass(slots=True)
class StepOutcome:
    """How an attempt ended: the events it led to, whether all outputs were made, and the error if it failed."""

    events: list[Event] = field(default_factory=list)
    made_output: bool = True
    error: BaseException | None = None


def execute_step(session: RunSession, step: Step, attempt: int) -> StepOutcome:
    """Run one attempt of a step; an exception of user code becomes part of the outcome, all but a Ctrl-C."""
    outcome = StepOutcome()
    try:
        context = _context(session, step, attempt)
        result = _call(session, step, context)
        taker = _OutputTaker(session, step, context, outcome.events)
        if inspect.isgenerator(result):
            for item in result:
                taker.take(item)
        else:
            taker.take_returned(result)
        outcome.made_output = taker.finish()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever user code raises fails its step, not the run
        error.add_note(f"in {_who(step)} ({step.definition.place})")
        outcome.error = error
    return outcome


def _who(step: Step) -> str:
    keys = user_strings(step.asset_keys)
    return f"asset {keys!r}" if len(step.outputs) == 1 else f"{step.definition.node_name!r} ({keys})"


def _context(session: RunSession, step: Step, attempt: int) -> AssetExecutionContext:
    return AssetExecutionContext(
        assets_def=step.definition,
        selected=step.asset_keys,
        session=session,
        step_key=step.key,
        resources=session.resources_for(step.definition),
        op_config=session.configs.get(step.key),
        retry_number=attempt - 1,
        log=session.log,
        report=lambda done, total: session.report_progress(step, done, total),
    )


def _call(session: RunSession, step: Step, context: AssetExecutionContext) -> Any:
    function = step.definition.function
    values: dict[str, Any] = {}
    if function.context_parameter is not None:
        values[function.context_parameter] = context
    if function.config_parameter is not None:
        values[function.config_parameter[0]] = context.op_config
    for name in function.resource_parameters:
        values[name] = session.pool.get(name)
    for argument, key in session.graph.bindings[step.definition].items():
        values[argument] = session.load_input(step, argument, key)
    positional = [values.pop(name) for name in function.positional_only]
    return function.fn(*positional, **values)


class _OutputTaker:
    """Takes what a function returns or yields, stores it, and collects the events."""

    def __init__(self, session: RunSession, step: Step, context: AssetExecutionContext, events: list[Event]) -> None:
        self.session = session
        self.step = step
        self.context = context
        self.events = events
        self.taken: set[str] = set()

    def take_returned(self, result: Any) -> None:
        """One return value: for the only output, or a tuple with one for each."""
        outputs = self.step.outputs
        if isinstance(result, (Output, MaterializeResult)):
            self.take(result)
        elif len(outputs) == 1 and len(self.step.definition.outputs) == 1:
            self._take_value(outputs[0], result)
        elif isinstance(result, (tuple, list)) and len(result) == len(outputs):
            for output, value in zip(outputs, result, strict=True):
                if isinstance(value, (Output, MaterializeResult)):
                    self.take(value)
                else:
                    self._take_value(output, value)
        elif not (result is None and all(not output.stored or not output.is_required for output in outputs)):
            raise InvalidOutputError(
                f"{self._name} has {len(outputs)} outputs, and one value was returned",
                hint="Return a tuple with a value for each, or yield an Output for each.",
            )

    def take(self, item: Any) -> None:
        """One thing that a generator yields."""
        if isinstance(item, Output):
            output = self.step.definition.outputs.get(item.output_name)
            if output is None:
                raise InvalidOutputError(
                    f"{self._name} has no output {item.output_name!r}; it has {sorted(self.step.definition.outputs)}"
                )
            self._store(output, item.value, item.metadata, item.data_version, item.tags)
        elif isinstance(item, MaterializeResult):
            if item.check_results:
                raise InvalidOutputError(f"{self._name} gives check results, and declares no checks")
            output = self._output_of(item.asset_key)
            if item.value is NO_VALUE:
                self._record(output, item.metadata, item.data_version, item.tags)
            else:
                self._store(output, item.value, item.metadata, item.data_version, item.tags)
        elif isinstance(item, (AssetMaterialization, AssetObservation)):
            observed = isinstance(item, AssetObservation)
            self.events.append(
                self.session.event("ASSET_OBSERVATION" if observed else "ASSET_MATERIALIZATION", self.step, data=item)
            )
        else:
            raise InvalidOutputError(
                f"{self._name} yields a value of type {type(item).__qualname__}", hint="Yield Output(value)."
            )

    def finish(self) -> bool:
        """Whether every output was made; a missing required one is an error."""
        missing = [output for output in self.step.outputs if output.name not in self.taken]
        required = [output.spec.key for output in missing if output.is_required and output.stored]
        if required:
            raise InvalidOutputError(
                f"{self._name} gave no value for {user_strings(required)}",
                hint="Yield an Output for each, or declare it with output_required=False.",
            )
        for output in [output for output in missing if output.is_required]:
            self._record(output, {}, None, {})
        return all(output.name in self.taken for output in self.step.outputs)

    def _output_of(self, key: AssetKey | None) -> AssetOutput:
        if key is None:
            if len(self.step.outputs) != 1:
                raise InvalidOutputError(f"{self._name} makes several assets, and a result does not say which it is of")
            return self.step.outputs[0]
        for output in self.step.definition.outputs.values():
            if output.spec.key == key:
                return output
        raise InvalidOutputError(f"{self._name} does not make the asset {key.to_user_string()!r}")

    def _take_value(self, output: AssetOutput, value: Any) -> None:
        if output.stored:
            self._store(output, value, {}, None, {})
        elif value is not None:
            raise InvalidOutputError(
                f"{self._name} is annotated `-> None` and returned a value of type {type(value).__qualname__}",
                hint="Remove the annotation so that the value is stored.",
            )

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
        self._check_expected(output)
        if not output.stored and value is None:
            return self._record(output, metadata, data_version, tags)
        manager = self.session.tables.manager_of(key)
        if isinstance(value, SQL) and not isinstance(manager, RunsSQL):
            raise InvalidOutputError(
                f"asset {key.to_user_string()!r} gave SQL, and its I/O manager {type(manager).__name__} runs none",
                hint="Use a manager of tables, such as DuckDBIOManager.",
            )
        told = self.session.output_context(self.step, key)
        entries = manager.handle_output(told, value)
        if entries is not None:
            for entry in entries:
                told.add_output_metadata(entry)
        return self._record(output, metadata, data_version, tags, told)

    def _record(
        self,
        output: AssetOutput,
        metadata: Mapping[str, MetadataValue],
        data_version: str | None,
        tags: Mapping[str, str],
        told: OutputContext | None = None,
    ) -> None:
        self._check_expected(output)
        self.taken.add(output.name)
        spec = output.spec
        merged = {**metadata, **self.context.metadata_for(spec.key), **(told.output_metadata if told is not None else {})}
        versions = dict(tags)
        if spec.code_version is not None:
            versions[CODE_VERSION_TAG] = spec.code_version
        if (version := data_version or self.context.data_version_for(spec.key)) is not None:
            versions[DATA_VERSION_TAG] = version
        made = AssetMaterialization(spec.key, metadata=merged, tags=versions)
        self.events.append(self.session.event("ASSET_MATERIALIZATION", self.step, data=made))

    def _check_expected(self, output: AssetOutput) -> None:
        if output not in self.step.outputs:
            raise InvalidOutputError(f"{self._name} gave {output.spec.key.to_user_string()!r}, which is not selected")
        if output.name in self.taken:
            raise InvalidOutputError(f"{self._name} gave {output.spec.key.to_user_string()!r} twice")

    @property
    def _name(self) -> str:
        return _who(self.step)
