from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse_assets import (
    AllPartitionMapping,
    AssetDep,
    AssetKey,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Instance,
    LastPartitionMapping,
    PartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    WeeklyPartitionsDefinition,
    asset,
)
from warehouse_assets.automation.backfill_body import read_targets, written_targets
from warehouse_assets.automation.backfill_plan import BackfillPlan
from warehouse_assets.automation.backfill_state import (
    DONE,
    FAILED,
    BackfillState,
    read_statuses,
    written_statuses,
)
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.partition_links import PartitionLinks

DEFS = [
    None,
    DailyPartitionsDefinition("2024-01-01", end_date="2024-01-20"),
    WeeklyPartitionsDefinition("2023-12-31", end_date="2024-01-28"),
    StaticPartitionsDefinition(["a", "b", "c"]),
]
POLICIES = [None, BackfillPolicy.single_run(), BackfillPolicy.multi_run(3)]
BACK = TimeWindowPartitionMapping(start_offset=-2, end_offset=-1)


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    """Assets in a row, each made from some before it, or from earlier partitions of itself."""
    kinds: list[Any] = []
    made = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(DEFS))
        deps = []
        for parent in draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else ():
            mapping: PartitionMapping | None = None
            if kinds[parent] is not None:
                timed = kinds[parent] in DEFS[1:3] and kind in DEFS[1:3]
                loose = [AllPartitionMapping(), LastPartitionMapping()]
                mapping = draw(st.sampled_from([TimeWindowPartitionMapping(), BACK, *loose] if timed else [*loose, None]))
                if mapping is None and kind not in (None, kinds[parent]):
                    mapping = AllPartitionMapping()
            deps.append(AssetDep(f"a{parent}", partition_mapping=mapping))
        if kind in DEFS[1:3] and draw(st.booleans()):
            deps.append(AssetDep(f"a{number}", partition_mapping=BACK))
        policy = draw(st.sampled_from(POLICIES)) if kind is not None else None

        @asset(name=f"a{number}", partitions_def=kind, deps=deps, backfill_policy=policy)
        def made_asset() -> None: ...

        kinds.append(kind)
        made.append(made_asset)
    return AssetGraph.build(made)


@st.composite
def backfills(draw: st.DrawFn) -> tuple[AssetGraph, PartitionLinks, dict[AssetKey, Sequence[str | None]]]:
    graph = draw(graphs())
    links = PartitionLinks(graph, Instance.ephemeral())
    wanted = {}
    for key in graph.executable_keys:
        every = links.partitions(key)
        chosen = draw(st.sets(st.integers(0, len(every) - 1), max_size=len(every)) | st.just(set(range(len(every)))))
        if chosen:
            wanted[key] = tuple(every[index] for index in sorted(chosen))
    return graph, links, wanted


@settings(max_examples=60)
@given(backfills(), st.data())
def test_each_run_begins_once_all_that_it_is_made_from_is_there(
    backfill: tuple[AssetGraph, PartitionLinks, dict[AssetKey, Sequence[str | None]]], data: st.DataObject
) -> None:
    graph, links, targets = backfill
    plan = BackfillPlan(graph, targets, links)
    state = BackfillState(plan)
    made: set[tuple[AssetKey, str | None]] = set()
    wanted = {(key, partition) for key, partitions in targets.items() for partition in partitions}

    while not state.is_over:
        state.next(data.draw(st.integers(1, 5)))
        index = data.draw(st.sampled_from(sorted(state.open)))
        unit = plan.unit(index)
        own = {(key, partition) for key in unit.asset_keys for partition in unit.partitions}
        for key in unit.asset_keys:
            for parent, found in links.inputs(key, unit.partitions).items():
                needed = {(parent, each) for answer in found.values() for each in answer} & wanted
                assert needed <= made | own
        assert not own & made
        made |= own
        state.ended(index, DONE)
        if data.draw(st.booleans()):  # as another process would read it
            state = BackfillState(plan, read_statuses(written_statuses(state.statuses)))

    assert (made, state.is_complete) == (wanted, True)
    assert read_targets(written_targets(targets, links), graph, links) == targets


def test_what_waits_for_a_failure_is_never_begun() -> None:
    @asset(partitions_def=DEFS[3])
    def first() -> None: ...

    @asset(partitions_def=DEFS[3], deps=[AssetDep(first, partition_mapping=AllPartitionMapping())])
    def second() -> None: ...

    graph = AssetGraph.build([first, second])
    links = PartitionLinks(graph)
    state = BackfillState(BackfillPlan(graph, {key: links.partitions(key) for key in graph.executable_keys}, links))
    begun = state.next(10)

    for index, status in zip(begun, (DONE, FAILED, DONE), strict=True):
        state.ended(index, status)

    assert (len(begun), state.next(10), state.is_over, written_statuses(state.statuses)) == (3, [], True, "d1 f1 d1 w3")


def test_many_gaps_are_compressed() -> None:
    many = StaticPartitionsDefinition([f"k{number}" for number in range(20_000)])

    @asset(partitions_def=many)
    def holes() -> None: ...

    graph = AssetGraph.build([holes])
    links = PartitionLinks(graph)
    targets = {AssetKey("holes"): links.partitions(AssetKey("holes"))[::2]}
    statuses = b"dw" * 10_000

    assert read_targets(written_targets(targets, links), graph, links) == targets
    assert len(written_targets(targets, links)) < 60_000
    assert (read_statuses(written_statuses(statuses)), len(written_statuses(statuses)) < 100) == (statuses, True)
