"""`AutomationCondition`: when an asset is to be made by itself. A frozen value; what it asks of the record is evaluated by `automation`."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, TypeVar

from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.ready_made_conditions import FactName, Quantifier, ReadyMadeConditions
from warehouse_assets.errors import InvalidDefinitionError

__all__ = [
    "And",
    "AutomationCondition",
    "ChecksMatch",
    "CronTickPassed",
    "DepsMatch",
    "Fact",
    "InLatestTimeWindow",
    "NewlyTrue",
    "Not",
    "Or",
    "Since",
]

_OF_THE_ROOT = {"initial_evaluation", "executed_with_root_target", "will_be_requested"}
_NEWS = {"newly_updated", "executed_with_root_target", "will_be_requested"}
_KEEPING = {"code_version_changed", "data_version_changed"}

C = TypeVar("C", bound="AutomationCondition")


@dataclass(frozen=True)
class AutomationCondition(ReadyMadeConditions):
    """When an asset, or which of its partitions, is to be made: built of the conditions below with `&`, `|` and `~`.

    It is evaluated again and again, each time for what happened since the time before. Those that begin with "newly", and the
    tick of a clock, are true for one evaluation; `since` remembers them.

    >>> AutomationCondition.on_missing() | AutomationCondition.code_version_changed().since_last_handled()
    <AutomationCondition: on_missing | code_version_changed since handled>
    """

    label: str | None = field(default=None, kw_only=True)

    def __and__(self, other: AutomationCondition) -> AutomationCondition:
        return And((*self._flat(And), *_checked(other)._flat(And)))

    def __or__(self, other: AutomationCondition) -> AutomationCondition:
        return Or((*self._flat(Or), *_checked(other)._flat(Or)))

    def __invert__(self) -> AutomationCondition:
        return Not(self)

    def since(self, reset_condition: AutomationCondition) -> AutomationCondition:
        """It became true later than `reset_condition` did.

        Where both did between two evaluations, the times of what was made and of the ticks of clocks decide; else the reset wins.
        """
        return Since(self, _checked(reset_condition))

    def newly_true(self) -> AutomationCondition:
        """It is true, and was not the time before."""
        return NewlyTrue(self)

    def since_last_handled(self) -> AutomationCondition:
        """It became true since the asset was last requested or made, and since its condition was first evaluated.

        To request what was so from the beginning as well: `.replace("handled", AutomationCondition.newly_requested() |
        AutomationCondition.newly_updated())`.
        """
        handled = (
            AutomationCondition.newly_requested()
            | AutomationCondition.newly_updated()
            | AutomationCondition.initial_evaluation()
        )
        return self.since(handled.with_label("handled"))

    def with_label(self: C, label: str | None) -> C:
        """The same under a name, which explanations show, and by which `replace` finds it."""
        return replace(self, label=label)

    def replace(self, old: AutomationCondition | str, new: AutomationCondition) -> AutomationCondition:
        """The same with another condition in the place of one of its parts, wherever that occurs; a part is told by its label too."""
        _checked(new)
        return self._changed(lambda part: new if old in (part, part.label) else None)

    def without(self, condition: AutomationCondition) -> AutomationCondition:
        """The same without one of the conditions that `&` joins; what it does not have is an error.

        >>> AutomationCondition.on_missing().without(AutomationCondition.in_latest_time_window())
        <AutomationCondition: newly_missing since handled & ~any_deps_missing>
        """
        kept = tuple(part for part in self.parts if part != condition)
        if not isinstance(self, And) or len(kept) == len(self.parts):
            hint = f"It has {', '.join(part.name for part in self.parts) or 'no parts'}."
            what = f"the condition {self.name!r} has no part {_checked(condition).name!r} that & joins"
            raise InvalidDefinitionError(what, hint=hint, where=str(caller_place()))
        return kept[0] if len(kept) == 1 else And(kept)

    def allow(self, selection: Any) -> AutomationCondition:
        """The same, asking of tables upstream only those that are selected; a selection is as `materialize` takes it."""
        return self._of_deps(lambda part: replace(part, allowed=(*part.allowed, _selection(selection))))

    def ignore(self, selection: Any) -> AutomationCondition:
        """The same, asking nothing of the tables upstream that are selected.

        >>> AutomationCondition.any_deps_updated().ignore("group:logs").text
        'any_deps_match(newly_updated & ~executed_with_root_target | will_be_requested).ignore(group:logs)'
        """
        return self._of_deps(lambda part: replace(part, ignored=(*part.ignored, _selection(selection))))

    def _of_deps(self, change: Callable[[DepsMatch], DepsMatch]) -> AutomationCondition:
        changed = self._changed(lambda part: change(part) if isinstance(part, DepsMatch) else None)
        if changed == self:
            what = f"the condition {self.name!r} asks nothing of tables upstream"
            hint = "Tables are allowed and ignored in any_deps_match, all_deps_match and what is made of them."
            raise InvalidDefinitionError(what, hint=hint, where=str(caller_place()))
        return changed

    def _changed(self, change: Callable[[AutomationCondition], AutomationCondition | None]) -> AutomationCondition:
        """The same with all parts, of parts too, that `change` gives something for changed to that."""
        found = change(self)
        if found is not None:
            return found
        parts = tuple(part._changed(change) for part in self.parts)
        return self if parts == self.parts else self._with_parts(parts)

    def _flat(self, kind: type[And] | type[Or]) -> tuple[AutomationCondition, ...]:
        return self.parts if isinstance(self, kind) and self.label is None else (self,)

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        """The conditions that it is made of."""
        return ()

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        raise NotImplementedError

    @property
    @abstractmethod
    def text(self) -> str:
        """What it says, without labels: the same for conditions that mean the same."""

    @cached_property
    def name(self) -> str:
        """Its label, or what it says, by the labels of its parts."""
        return self.label or self._told(lambda part: part.name)

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        raise NotImplementedError

    @cached_property
    def digest(self) -> str:
        """A short text that differs where conditions do."""
        return blake2b(self.text.encode(), digest_size=6).hexdigest()

    @cached_property
    def remembers(self) -> bool:
        """Whether it has to be evaluated each time, since it keeps something for the next."""
        own = isinstance(self, (Since, NewlyTrue)) or (isinstance(self, Fact) and self.fact in _KEEPING)
        return own or any(part.remembers for part in self.parts)

    @cached_property
    def asks_of_the_root(self) -> bool:
        """Whether it means something else upstream of one asset than of another."""
        own = isinstance(self, Fact) and self.fact in _OF_THE_ROOT
        return own or any(part.asks_of_the_root for part in self.parts)

    @cached_property
    def is_of_news(self) -> bool:
        """Whether it can only be true of what was made since the last evaluation, or is requested in this one."""
        if isinstance(self, And):
            return any(part.is_of_news for part in self.parts)
        if isinstance(self, Or):
            return all(part.is_of_news for part in self.parts)
        return isinstance(self, Fact) and self.fact in _NEWS

    def walk(self) -> Iterator[AutomationCondition]:
        """The condition and all of its parts."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def __repr__(self) -> str:
        return f"<AutomationCondition: {self.name}>"


@dataclass(frozen=True, repr=False)
class Fact(AutomationCondition):
    """Something that the record, or the evaluation itself, knows of an asset."""

    fact: FactName

    @property
    def text(self) -> str:
        return self.fact

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return self.fact


@dataclass(frozen=True, repr=False)
class CronTickPassed(AutomationCondition):
    """A cron schedule ticked."""

    cron_schedule: str
    cron_timezone: str = "UTC"

    def __post_init__(self) -> None:
        from warehouse_assets.partitions.cron import ticks_of

        faults = Faults(where=caller_place())
        try:
            ticks_of(self.cron_schedule, self.cron_timezone)
        except (InvalidDefinitionError, AttributeError, TypeError) as error:
            message = getattr(error, "message", f"the cron schedule {self.cron_schedule!r} cannot be used")
            faults.add(f"the automation condition: {message}", hint=getattr(error, "hint", None))
            faults.raise_any("the automation condition")

    @property
    def text(self) -> str:
        return f"cron_tick_passed({self.cron_schedule!r}, {self.cron_timezone!r})"

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return self.text


@dataclass(frozen=True, repr=False)
class InLatestTimeWindow(AutomationCondition):
    """It is of a late time window."""

    lookback_delta: dt.timedelta | None = None

    def __post_init__(self) -> None:
        delta = self.lookback_delta
        if delta is not None and not (isinstance(delta, dt.timedelta) and delta > dt.timedelta(0)):
            what = f"the automation condition: the lookback_delta is {delta!r}"
            raise InvalidDefinitionError(what, hint="Write timedelta(days=…).", where=str(caller_place()))

    @property
    def text(self) -> str:
        return f"in_latest_time_window({'' if self.lookback_delta is None else self.lookback_delta})".replace("()", "")

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return self.text


@dataclass(frozen=True, repr=False)
class _Whole(AutomationCondition):
    """A condition that has parts."""

    @cached_property
    def text(self) -> str:
        return self._told(lambda part: part.text)


@dataclass(frozen=True, repr=False)
class And(_Whole):
    """All of some conditions are true."""

    operands: tuple[AutomationCondition, ...]

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        return self.operands

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        return replace(self, operands=parts)

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return " & ".join(_enclosed(part, tell, Or) for part in self.operands)


@dataclass(frozen=True, repr=False)
class Or(_Whole):
    """Any of some conditions is true."""

    operands: tuple[AutomationCondition, ...]

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        return self.operands

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        return replace(self, operands=parts)

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return " | ".join(_enclosed(part, tell) for part in self.operands)


@dataclass(frozen=True, repr=False)
class Not(_Whole):
    """A condition is not true."""

    operand: AutomationCondition

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        return (self.operand,)

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        return replace(self, operand=parts[0])

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return f"~{_enclosed(self.operand, tell, And, Or, Since)}"


@dataclass(frozen=True, repr=False)
class Since(_Whole):
    """A condition became true later than another."""

    trigger: AutomationCondition
    reset: AutomationCondition

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        return self.trigger, self.reset

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        return replace(self, trigger=parts[0], reset=parts[1])

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return " since ".join(_enclosed(part, tell, And, Or, Since) for part in self.parts)


@dataclass(frozen=True, repr=False)
class NewlyTrue(_Whole):
    """A condition became true."""

    operand: AutomationCondition

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        return (self.operand,)

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        return replace(self, operand=parts[0])

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return f"newly_true({tell(self.operand)})"


@dataclass(frozen=True, repr=False)
class DepsMatch(_Whole):
    """A condition is true of any or of all of the tables that an asset is made from."""

    quantifier: Quantifier
    operand: AutomationCondition
    allowed: tuple[Any, ...] = ()
    ignored: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        _checked(self.operand)

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        return (self.operand,)

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        return replace(self, operand=parts[0])

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        chosen = "".join(f".allow({part})" for part in self.allowed) + "".join(f".ignore({part})" for part in self.ignored)
        return f"{self.quantifier}_deps_match({tell(self.operand)}){chosen}"


@dataclass(frozen=True, repr=False)
class ChecksMatch(_Whole):
    """A condition is true of any or of all of the checks of an asset."""

    quantifier: Quantifier
    operand: AutomationCondition
    blocking_only: bool = False

    def __post_init__(self) -> None:
        _checked(self.operand)

    @property
    def parts(self) -> tuple[AutomationCondition, ...]:
        return (self.operand,)

    def _with_parts(self, parts: tuple[AutomationCondition, ...]) -> AutomationCondition:
        return replace(self, operand=parts[0])

    def _told(self, tell: Callable[[AutomationCondition], str]) -> str:
        return f"{self.quantifier}_checks_match({tell(self.operand)}{', blocking_only=True' if self.blocking_only else ''})"


def _enclosed(part: AutomationCondition, tell: Callable[[AutomationCondition], str], *kinds: type[AutomationCondition]) -> str:
    told = tell(part)
    return f"({told})" if isinstance(part, kinds) and told != part.label else told


def _checked(condition: Any) -> AutomationCondition:
    if not isinstance(condition, AutomationCondition):
        hint = "Write AutomationCondition.eager(), .on_cron(…), .missing() and so on, with parentheses."
        raise InvalidDefinitionError(f"{condition!r} is not an AutomationCondition", hint=hint, where=str(caller_place()))
    return condition


def _selection(selection: Any) -> Any:
    return tuple(selection) if isinstance(selection, list) else selection
