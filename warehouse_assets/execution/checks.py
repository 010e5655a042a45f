"""How checks are evaluated: as steps of their own, before a table is published, and by the functions of assets."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.check_specs import AssetCheckResult, AssetCheckSpec, verdict_of
from warehouse_assets.errors import AssetCheckFailedError, InvalidOutputError, RetryRequested
from warehouse_assets.events import AssetCheckEvaluation, Event, error_line
from warehouse_assets.execution.check_context import AssetCheckExecutionContext
from warehouse_assets.execution.step import call_function
from warehouse_assets.graph.requirements import input_manager_key
from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource
from warehouse_assets.io_manager.powers import StagesTables
from warehouse_assets.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from warehouse_assets.execution.check_plan import CheckCall
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.execution.session import RunSession
    from warehouse_assets.io_manager.base import IOManager

__all__ = ["CheckResults", "check_published", "run_check_step", "store_checked"]


def run_check_step(session: RunSession, step: Step, call: CheckCall, attempt: int, events: list[Event]) -> None:
    """Evaluate checks of stored tables; AssetCheckFailedError where a blocking one fails."""
    failed = _evaluate(session, step, call, attempt, events)
    if failed:
        raise _refusal(failed, "What depends on it is not made.")


def store_checked(
    session: RunSession, step: Step, told: OutputContext, value: Any, attempt: int, events: list[Event]
) -> AssetCheckFailedError | None:
    """Store the value of an asset unless a blocking check of it fails, which raises AssetCheckFailedError.

    Where the manager cannot show a table before it is published, the checks come after; the error is then what this gives, to be
    raised once the write is recorded.
    """
    manager = session.tables.manager_of(told.asset_key)
    if isinstance(manager, StagesTables):
        with manager.stage(told, value) as staged:
            failed = _guard(session, step, told.asset_key, attempt, events, staged)
            if failed:
                raise _refusal(failed, "The stored table is as it was before.")
        return None
    for entry in manager.handle_output(told, value) or ():
        told.add_output_metadata(entry)
    return check_published(session, step, told.asset_key, attempt, events)


def check_published(
    session: RunSession, step: Step, key: AssetKey, attempt: int, events: list[Event]
) -> AssetCheckFailedError | None:
    """Evaluate the blocking checks of a table that is stored already, and give the error where one fails."""
    failed = _guard(session, step, key, attempt, events)
    return _refusal(failed, "It is stored already, and what depends on it is not made.") if failed else None


def _guard(
    session: RunSession, step: Step, key: AssetKey, attempt: int, events: list[Event], staged: Any = None
) -> list[AssetCheckEvaluation]:
    source = TableSource(staged, input_context(session, step, key)) if staged is not None else None
    calls = step.checks.guards[key]
    return [failed for call in calls for failed in _evaluate(session, step, call, attempt, events, source)]


def _evaluate(
    session: RunSession,
    step: Step,
    call: CheckCall,
    attempt: int,
    events: list[Event],
    staged: TableSource | None = None,
) -> list[AssetCheckEvaluation]:
    """Call the function of checks and record how each went; gives those that block.

    A check that raises did not pass, and that is recorded too.
    """
    definition, is_step = call.definition, step.checks.call is call
    who = f"check {call.key!r}"
    results = CheckResults(session, step, who, call.specs, events)
    try:
        context = AssetCheckExecutionContext(
            call,
            session,
            step_key=step.key,
            op_config=session.configs.get(step.key if is_step else call.key),
            retry_number=attempt - 1,
            staged=staged,
            slices=session.tables.sources(
                [key for key in call.sources if partitions_of(session, key)],
                step_key=step.key,
                partition_keys=partial(partitions_of, session),
            ),
            checked_partitions=partitions_of(session, call.asset_keys[0]),
            is_recorded=is_step,
        )
        values = {argument: _load(session, step, call, argument, key, staged) for argument, key in call.bindings.items()}
        for result in _results(call_function(definition.function, session, context, values), who, call.specs):
            results.take(result)
        results.require(call.specs)
    except Exception as error:
        if not is_step:
            error.add_note(f"in {who} ({definition.place})")
        if not isinstance(error, RetryRequested):
            results.note_error(error)
        raise
    return results.blocking


def _load(session: RunSession, step: Step, call: CheckCall, argument: str, key: AssetKey, staged: TableSource | None) -> Any:
    definition = call.definition
    declared = definition.ins.get(argument)
    context = input_context(
        session,
        step,
        key,
        argument=argument,
        type_hint=definition.function.annotation(argument),
        metadata=declared.metadata if declared is not None else None,
    )
    if staged is not None and staged.asset_key == key:
        return staged.io_manager.load_input(context)
    manager: IOManager = session.tables.manager(input_manager_key(session.graph.nodes[key], definition, argument))
    return manager.load_input(context)


def input_context(session: RunSession, step: Step, key: AssetKey, **options: Any) -> InputContext:
    """What the manager is told of a table that is read for a check: of the partitions that the run makes, where it makes some."""
    return session.tables.input_context(key, step_key=step.key, partition_keys=partitions_of(session, key) or None, **options)


def partitions_of(session: RunSession, key: AssetKey) -> Sequence[str]:
    """The partitions that the run is for, where the asset is partitioned like them; none where it is checked as a whole."""
    chosen = session.partitions.chosen
    alike = chosen is not None and session.graph.nodes[key].spec.partitions_def == chosen.partitions_def
    return chosen.keys if chosen is not None and alike else ()


def _results(given: Any, who: str, specs: Sequence[AssetCheckSpec]) -> Iterator[AssetCheckResult]:
    for item in given if inspect.isgenerator(given) or isinstance(given, (list, tuple)) else [given]:
        if isinstance(item, AssetCheckResult):
            yield item
        elif (verdict := verdict_of(item)) is not None and len(specs) == 1:
            yield AssetCheckResult(passed=verdict)
        else:
            what = "None" if item is None else f"a value of type {type(item).__qualname__}"
            raise InvalidOutputError(f"{who} gave {what}", hint="Return an AssetCheckResult, or True or False for one check.")


class CheckResults:
    """Takes the results of declared checks, each once, and records them; `blocking` are those that stop what is downstream."""

    def __init__(self, session: RunSession, step: Step, who: str, specs: Iterable[AssetCheckSpec], events: list[Event]) -> None:
        self.session = session
        self.step = step
        self.who = who
        self.specs = {spec.key: spec for spec in specs}
        self.events = events
        self.taken: set[AssetCheckKey] = set()
        self.blocking: list[AssetCheckEvaluation] = []

    def take(self, result: AssetCheckResult, asset_key: AssetKey | None = None) -> None:
        """One result; it is of `asset_key` unless it says so itself."""
        spec = self._spec_of(result.asset_key or asset_key, result.check_name)
        if spec.key in self.taken:
            raise InvalidOutputError(f"{self.who} gave the result of {spec.key.to_user_string()!r} twice")
        self._record(spec, result)

    def require(self, specs: Iterable[AssetCheckSpec]) -> None:
        """Raise InvalidOutputError where one of these checks has no result."""
        missing = [spec.key.to_user_string() for spec in specs if spec.key not in self.taken]
        if missing:
            raise InvalidOutputError(
                f"{self.who} gave no result for {', '.join(map(repr, missing))}", hint="Give an AssetCheckResult for each."
            )

    def note_error(self, error: BaseException) -> None:
        """Record that the checks without a result did not pass, since this was raised."""
        for key, spec in self.specs.items():
            if key not in self.taken:
                self._record(spec, AssetCheckResult(passed=False, description=f"the check raised {error_line(error)}"))

    def raise_blocking(self, key: AssetKey, consequence: str) -> None:
        """Raise AssetCheckFailedError where a blocking check of this asset failed."""
        if failed := [evaluation for evaluation in self.blocking if evaluation.asset_key == key]:
            raise _refusal(failed, consequence)

    def _spec_of(self, asset_key: AssetKey | None, name: str | None) -> AssetCheckSpec:
        fitting = [spec for spec in self.specs.values() if asset_key in (None, spec.asset_key) and name in (None, spec.name)]
        if len(fitting) == 1:
            return fitting[0]
        declared = ", ".join(key.to_user_string() for key in self.specs) or "none"
        if fitting:
            raise InvalidOutputError(
                f"{self.who} gave a result that does not say which check it is of",
                hint=f"Give check_name, and asset_key where several assets are checked: {declared}.",
            )
        given = ":".join(text for text in (asset_key and asset_key.to_user_string(), name) if text)
        raise InvalidOutputError(f"{self.who} gave a result of the check {given!r}", hint=f"Declared are {declared}.")

    def _record(self, spec: AssetCheckSpec, result: AssetCheckResult) -> None:
        self.taken.add(spec.key)
        for partition in partitions_of(self.session, spec.asset_key) or (None,):
            evaluation = AssetCheckEvaluation(
                spec.asset_key,
                spec.name,
                result.passed,
                result.severity,
                spec.blocking,
                result.description,
                result.metadata,
                partition,
            )
            self.events.append(self.session.event("ASSET_CHECK_EVALUATION", self.step, data=evaluation))
        if spec.blocking and evaluation.failed:
            self.blocking.append(evaluation)


def _refusal(failed: Sequence[AssetCheckEvaluation], consequence: str) -> AssetCheckFailedError:
    faults = [f"{one.check_name!r}{f': {one.description}' if one.description else ''}" for one in failed]
    names = ", ".join(sorted({repr(one.asset_key.to_user_string()) for one in failed}))
    checks = "the blocking check" if len(failed) == 1 else f"{len(failed)} blocking checks:"
    return AssetCheckFailedError(f"asset {names} failed {checks} {'; '.join(faults)}", hint=consequence)
