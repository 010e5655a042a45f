"""Whatever is made in whatever order, runs and statuses agree with a model that keeps everything each partition was made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse_assets import (
    AllPartitionMapping,
    AssetIn,
    AssetKey,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Definitions,
    InputContext,
    Instance,
    IOManager,
    LastPartitionMapping,
    OutputContext,
    PartitionKeyRange,
    SpecificPartitionsPartitionMapping,
    TimeWindowPartitionMapping,
    asset,
)

DAYS = DailyPartitionsDefinition("2024-02-27", "2024-03-02")
KEYS = list(DAYS.get_partition_keys())
BACK = TimeWindowPartitionMapping(-1, -1)
MAPPINGS: dict[Any, Any] = {  # to the upstream partitions of a day, as the places of their keys
    None: lambda day: [day],
    TimeWindowPartitionMapping(-1, 0, allow_nonexistent_upstream_partitions=True): lambda day: [day - 1, day],
    AllPartitionMapping(): lambda day: range(len(KEYS)),
    LastPartitionMapping(): lambda day: [len(KEYS) - 1],
    SpecificPartitionsPartitionMapping([KEYS[1], KEYS[2]]): lambda day: [1, 2],
}
PARTITIONED = {"a": True, "b": True, "c": False, "d": True}


class Nowhere(IOManager):
    def handle_output(self, context: OutputContext, obj: Any) -> None: ...

    def load_input(self, context: InputContext) -> int:
        return 1


class Model:
    """The code and the inputs that each partition was made with, in full, and its data, which is both of them and its key."""

    def __init__(self, mapping: Any, makes_itself: bool) -> None:
        self.mapping = mapping
        self.makes_itself = makes_itself
        self.codes = dict.fromkeys(PARTITIONED, "1")
        self.made: dict[tuple[str, str | None], tuple[Any, ...]] = {}

    def definitions(self) -> Definitions:
        ins = {"a": AssetIn(partition_mapping=self.mapping)}
        options: dict[str, Any] = {"partitions_def": DAYS, "backfill_policy": BackfillPolicy.single_run()}

        @asset(code_version=self.codes["a"], **options)
        def a() -> int:
            return 1

        if self.makes_itself:

            @asset(code_version=self.codes["b"], ins={**ins, "b": AssetIn(partition_mapping=BACK)}, **options)
            def b(a: int, b: int) -> int:
                return 1
        else:

            @asset(code_version=self.codes["b"], ins=ins, **options)
            def b(a: int) -> int:
                return 1

        @asset(code_version=self.codes["c"])
        def c(b: int) -> int:
            return 1

        @asset(code_version=self.codes["d"], **options)
        def d(a: int, c: int) -> int:
            return 1

        return Definitions([a, b, c, d], resources={"io_manager": Nowhere()})

    def upstream(self, name: str, day: str | None) -> Iterator[tuple[str, str | None]]:
        here = KEYS.index(day) if day is not None else 0
        if name == "b":
            yield from (("a", KEYS[place]) for place in MAPPINGS[self.mapping](here) if place >= 0)
            if self.makes_itself and here:
                yield "b", KEYS[here - 1]
        elif name == "c":
            yield from (("b", key) for key in KEYS)
        elif name == "d":
            yield from (("a", day), ("c", None))

    def now(self, name: str, day: str | None) -> tuple[Any, ...]:
        inputs = [(up, self.made[up]) for up in self.upstream(name, day) if up in self.made]
        return (name, day, self.codes[name], tuple(inputs))

    def make(self, name: str, days: list[str]) -> None:
        for day in days if PARTITIONED[name] else [None]:
            self.made[name, day] = self.now(name, day)

    def is_current(self, name: str, day: str | None) -> bool:
        return self.made.get((name, day)) == self.now(name, day)

    def refresh(self, days: list[str]) -> list[str]:
        """The assets that are made anew."""
        made = []
        for name, partitioned in PARTITIONED.items():
            if not all(self.is_current(name, day) for day in (days if partitioned else [None])):
                self.make(name, days)
                made.append(name)
        return made

    def states(self) -> dict[tuple[str, str | None], str]:
        states: dict[tuple[str, str | None], str] = {}
        for name, partitioned in PARTITIONED.items():
            for day in KEYS if partitioned else [None]:
                fresh = self.is_current(name, day) and all(states[up] == "fresh" for up in self.upstream(name, day))
                states[name, day] = ("fresh" if fresh else "stale") if (name, day) in self.made else "missing"
        return states


def overall(states: list[str]) -> str:
    return states[0] if len(set(states)) == 1 else "stale"


ranges = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda ends: KEYS[min(ends) : max(ends) + 1])
actions = st.lists(
    st.tuples(st.just("make"), st.sampled_from(["a", "b", "d", "abcd"]), ranges)
    | st.tuples(st.just("make"), st.just("c"), st.just(KEYS[:1]))
    | st.tuples(st.just("refresh"), st.just("abcd"), ranges)
    | st.tuples(st.just("change"), st.sampled_from("abcd"), st.just(KEYS[:1])),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*MAPPINGS]), st.booleans(), actions)
def test_runs_and_statuses_agree_with_the_model(mapping: Any, makes_itself: bool, actions: list[tuple[str, str, Any]]) -> None:
    model, instance = Model(mapping, makes_itself), Instance.ephemeral()
    for action, names, days in actions:
        if action == "change":
            model.codes[names] += "'"
            continue
        options: dict[str, Any] = {"selection": " or ".join(names), "instance": instance}
        if names != "c":
            options["partition_key_range"] = PartitionKeyRange(days[0], days[-1])
        if action == "make":
            model.definitions().materialize(**options)
            for name in names:
                model.make(name, days)
        else:
            result = model.definitions().materialize(**options, only_stale=True)

            assert sorted(result.steps("success")) == model.refresh(days)

    defs, states = model.definitions(), model.states()
    one_by_one = {key: defs.status(instance=instance, partition_key=key) for key in KEYS}
    whole = defs.status(instance=instance)

    assert {unit: one_by_one[unit[1] or KEYS[0]][AssetKey(unit[0])].state for unit in states} == states
    assert {name: whole[AssetKey(name)].state for name in PARTITIONED} == {
        name: overall([states[unit] for unit in states if unit[0] == name]) for name in PARTITIONED
    }
