from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    AllPartitionMapping,
    AssetDep,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetSpec,
    DailyPartitionsDefinition,
    DimensionPartitionMapping,
    IdentityPartitionMapping,
    LastPartitionMapping,
    MultiPartitionMapping,
    MultiPartitionsDefinition,
    MultiToSingleDimensionPartitionMapping,
    PartitionMapping,
    SourceAsset,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
    multi_asset,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.partitions import argument_mapping, depends_on_itself, edge_mappings

DAYS = DailyPartitionsDefinition("2024-01-01")
REGIONS = StaticPartitionsDefinition(["eu", "us"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
DAY_BEFORE = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
BOTH_BEFORE = MultiPartitionMapping(
    {"day": DimensionPartitionMapping("day", DAY_BEFORE), "region": DimensionPartitionMapping("region")}
)


def upstream(partitions_def: Any) -> Any:
    @asset(partitions_def=partitions_def)
    def a(): ...

    return a


def downstream(partitions_def: Any, mapping: PartitionMapping | None, how: str) -> Any:
    """The asset `b`, which depends on `a` by a mapping that is given in one of several ways."""
    if how == "in":

        @asset(partitions_def=partitions_def, ins={"a": AssetIn(partition_mapping=mapping)})
        def b(a): ...

    else:
        deps = [AssetDep("a", partition_mapping=mapping)]
        if how == "spec":
            return AssetSpec("b", partitions_def=partitions_def, deps=deps)
        if how == "dep":

            @asset(partitions_def=partitions_def, deps=deps)
            def b(): ...

        else:

            @asset(partitions_def=partitions_def, deps=deps)
            def b(a): ...

    return b


def mappings(graph: AssetGraph, child: str = "b", parent: str = "a") -> list[PartitionMapping]:
    return edge_mappings(graph.nodes, graph.bindings, graph[AssetKey(child)], AssetKey(parent))


@pytest.mark.semantics(37)
@pytest.mark.parametrize("how", ["in", "dep", "dep_of_an_argument", "spec"])
def test_a_mapping_stands_where_it_is_declared(how: str) -> None:
    graph = AssetGraph.build([upstream(DAYS), downstream(DAYS, DAY_BEFORE, how)])

    assert mappings(graph) == [DAY_BEFORE]


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        (DAYS, DAYS, TimeWindowPartitionMapping()),
        (REGIONS, REGIONS, IdentityPartitionMapping()),
        (BOTH, DAYS, MultiToSingleDimensionPartitionMapping()),
        (DAYS, None, AllPartitionMapping()),
        (None, DAYS, AllPartitionMapping()),
    ],
    ids=["days", "regions", "both_to_days", "partitioned_to_whole", "whole_to_partitioned"],
)
def test_without_one_it_is_the_default(up: Any, down: Any, expected: PartitionMapping) -> None:
    graph = AssetGraph.build([upstream(up), downstream(down, None, "in")])

    assert mappings(graph) == [expected]


@pytest.mark.semantics(37)
def test_two_arguments_may_load_one_asset_by_different_mappings() -> None:
    @asset(partitions_def=DAYS, ins={"before": AssetIn("a", partition_mapping=DAY_BEFORE), "today": AssetIn("a")})
    def b(before, today): ...

    graph = AssetGraph.build([upstream(DAYS), b])
    found = {name: argument_mapping(graph.nodes, b, name, AssetKey("a")) for name in ("before", "today")}

    assert found == {"before": DAY_BEFORE, "today": TimeWindowPartitionMapping()}
    assert mappings(graph) == [DAY_BEFORE, TimeWindowPartitionMapping()]


@pytest.mark.semantics(37)
@pytest.mark.parametrize("how", ["in", "dep", "spec"])
@pytest.mark.parametrize(
    ("up", "down", "mapping", "what"),
    [
        (None, DAYS, DAY_BEFORE, "has a partition mapping, and that is not partitioned"),
        (None, None, AllPartitionMapping(), "has a partition mapping, and that is not partitioned"),
        (DAYS, None, IdentityPartitionMapping(), "an identity partition mapping has no downstream partitions"),
        (DAYS, None, DAY_BEFORE, "needs downstream partitions that are time windows, not none"),
        (DAYS, REGIONS, DAY_BEFORE, "needs downstream partitions that are time windows, not static partitions 'eu', 'us'"),
        (REGIONS, REGIONS, StaticPartitionMapping({"asia": "eu"}), "there is no partition 'asia'"),
        (DAYS, DAYS, BOTH_BEFORE, "needs upstream multi-partitions"),
        (BOTH, StaticPartitionsDefinition(["x"]), None, "no dimension fits static partitions 'x'"),
    ],
    ids=["no_upstream", "neither", "identity", "time_window", "kinds", "static", "multi", "default"],
)
def test_a_mapping_that_cannot_stand_there_is_an_error_with_its_place(
    up: Any, down: Any, mapping: Any, what: str, how: str
) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        AssetGraph.build([upstream(up), downstream(down, mapping, how)])

    assert "asset 'b': its dependency on 'a'" in str(caught.value)
    assert what in str(caught.value)
    assert f"({__file__}:" in str(caught.value)


@pytest.mark.semantics(37)
def test_all_of_them_are_reported_together() -> None:
    faulty = [upstream(None), downstream(DAYS, DAY_BEFORE, "in"), asset(key="c", deps=["c"])(lambda: None)]

    with pytest.raises(InvalidDefinitionsError) as caught:
        AssetGraph.build(faulty)

    assert [str(fault).partition(":")[0] for fault in caught.value.exceptions] == [
        f"asset 'c' depends on itself ({__file__}",
        "asset 'b'",
    ]


@pytest.mark.semantics(37)
def test_of_a_table_that_nothing_is_known_of_any_mapping_may_be_meant() -> None:
    graph = AssetGraph.build([downstream(DAYS, DAY_BEFORE, "dep")])

    assert graph[AssetKey("a")].is_stub


@pytest.mark.semantics(37)
@pytest.mark.parametrize("mapping", [AllPartitionMapping(), LastPartitionMapping()], ids=["all", "last"])
def test_a_whole_table_is_made_from_partitions(mapping: PartitionMapping) -> None:
    graph = AssetGraph.build([SourceAsset("a", partitions_def=DAYS), downstream(None, mapping, "in")])

    assert mappings(graph) == [mapping]


@pytest.mark.semantics(8)
@pytest.mark.parametrize("how", ["name", "in", "dep", "dep_of_an_argument"])
@pytest.mark.parametrize(("parts", "mapping"), [(DAYS, DAY_BEFORE), (BOTH, BOTH_BEFORE)], ids=["days", "multi"])
def test_an_asset_with_a_mapping_that_looks_back_may_depend_on_itself(parts: Any, mapping: Any, how: str) -> None:
    deps = [AssetDep("a", partition_mapping=mapping)] if how.startswith("dep") else None
    ins = {"a": AssetIn("a" if how == "in" else None, partition_mapping=mapping)} if deps is None else None

    @asset(partitions_def=parts, deps=deps, ins=ins)
    def a(a=None): ...

    graph = AssetGraph.build([a])

    assert (graph[a.key].parents, mappings(graph, "a", "a")) == ((), [mapping])
    assert depends_on_itself(graph.bindings, graph[a.key])


@pytest.mark.semantics(8)
@pytest.mark.parametrize(
    ("parts", "mapping", "hint"),
    [
        (None, None, "Only a partitioned asset can"),
        (None, DAY_BEFORE, "Only a partitioned asset can"),
        (DAYS, None, r"does not look back \(.*Give the dependency a partition mapping such as"),
        (DAYS, TimeWindowPartitionMapping(start_offset=-1), "does not look back"),
        (REGIONS, LastPartitionMapping(), "does not look back"),
        (REGIONS, DAY_BEFORE, "needs upstream partitions that are time windows"),
    ],
    ids=["whole", "whole_with_mapping", "default", "including_today", "last", "of_other_kind"],
)
def test_an_asset_that_depends_on_itself_otherwise_is_an_error(parts: Any, mapping: Any, hint: str) -> None:
    @asset(partitions_def=parts, ins={"a": AssetIn(partition_mapping=mapping)})
    def a(a): ...

    with pytest.raises(InvalidDefinitionError, match=hint):
        AssetGraph.build([a])


@pytest.mark.semantics(8)
def test_one_output_of_several_may_depend_on_itself() -> None:
    @multi_asset(
        outs={"a": AssetOut(), "b": AssetOut()},
        ins={"a": AssetIn(partition_mapping=DAY_BEFORE)},
        partitions_def=DAYS,
    )
    def both(a): ...

    graph = AssetGraph.build([both])

    assert mappings(graph, "a", "a") == mappings(graph, "b", "a") == [DAY_BEFORE]
