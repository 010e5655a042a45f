"""One attempt at one step: load the inputs, call the function, store what it gives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.events import Event
from warehouse_assets.execution.capture import current_step
from warehouse_assets.execution.context import AssetExecutionContext
from warehouse_assets.execution.outputs import OutputTaker, name_of
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.definitions.functions import UserFunction
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.execution.session import RunSession

__all__ = ["StepOutcome", "call_function", "execute_step"]


@dataclass(slots=True)
class StepOutcome:
    """How an attempt ended: the events it led to, the selected assets that it did not make, and the error if it failed.

    `fresh` is whether nothing was done, since the tables are up to date.
    """

    events: list[Event] = field(default_factory=list)
    missing: Collection[AssetKey] = ()
    error: BaseException | None = None
    fresh: bool = False

    @property
    def status(self) -> str:
        """How it ended, in a word."""
        return "failure" if self.error is not None else "fresh" if self.fresh else "success"


def execute_step(session: RunSession, step: Step, attempt: int) -> StepOutcome:
    """Run one attempt of a step; an exception of user code becomes part of the outcome, all but a Ctrl-C."""
    before = current_step.set(step.key)
    try:
        if session.spans is None:
            return _attempted(session, step, attempt)
        with session.spans.step(step.key, step.asset_keys, attempt) as span:
            outcome = _attempted(session, step, attempt)
            span.ended(outcome.status, outcome.error, outcome.events)
            return outcome
    finally:
        current_step.reset(before)


def _attempted(session: RunSession, step: Step, attempt: int) -> StepOutcome:
    outcome = StepOutcome()
    session.pool.keep_open(step.checks.call is None and step.definition.sql is not None)
    try:
        if step.checks.call is not None:
            from warehouse_assets.execution.checks import run_check_step

            run_check_step(session, step, step.checks.call, attempt, outcome.events)
            return outcome
        if session.versions.is_fresh(step):
            outcome.fresh = True
            return outcome
        context = _context(session, step, attempt)
        result = _call(session, step, context)
        taker = OutputTaker(session, step, context, outcome.events)
        taker.take_all(result)
        outcome.missing = taker.finish()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever user code raises fails its step, not the run
        error.add_note(f"in {name_of(step)} ({step.definition.place})")
        outcome.error = error
    return outcome


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
        partitions=session.partitions.of(step.definition),
    )


def _call(session: RunSession, step: Step, context: AssetExecutionContext) -> Any:
    if step.definition.graph is not None:
        from warehouse_assets.execution.ops import run_ops

        return run_ops(session, step, step.definition.graph, context)
    if step.definition.sql is not None:
        return session.graph.nodes[step.definition.key].sql
    bindings = session.graph.bindings[step.definition]
    unneeded = _unneeded_arguments(step) if len(step.outputs) < len(step.definition.outputs) else ()
    inputs = {name: session.load_input(step, name, key) for name, key in bindings.items() if name not in unneeded}
    return call_function(step.definition.function, session, context, inputs)


def _unneeded_arguments(step: Step) -> Collection[str]:
    """The arguments with a default value that no selected output is made from."""
    optional = {parameter.name for parameter in step.definition.function.inputs if parameter.has_default}
    for output in step.outputs:
        optional -= output.inputs if output.inputs is not None else optional
    return optional


def call_function(function: UserFunction, session: RunSession, context: AssetExecutionContext, values: dict[str, Any]) -> Any:
    """Call a function with the `values` of its inputs, and with the context, config and resources that it takes."""
    if function.context_parameter is not None:
        values[function.context_parameter] = context
    if function.config_parameter is not None:
        values[function.config_parameter[0]] = context.op_config
    for name in function.resource_parameters:
        values[name] = session.pool.get(name)
    positional = [values.pop(name) for name in function.positional_only]
    return function.fn(*positional, **values)
