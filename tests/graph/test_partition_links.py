"""Which partitions each partition is made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from warehouse_assets import (
    AllPartitionMapping,
    AssetIn,
    AssetKey,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    Instance,
    LastPartitionMapping,
    MultiPartitionsDefinition,
    PartitionMapping,
    SourceAsset,
    SpecificPartitionsPartitionMapping,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
)
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.partition_links import WHOLE, PartitionLinks, different, in_order
from warehouse_assets.partitions.mapping import PartitionsPair, UpstreamPartitions

pytestmark = pytest.mark.semantics(25, 37)

DAYS = DailyPartitionsDefinition("2024-02-27", "2024-03-02")
DAY = "2024-02-29"
HOURS = HourlyPartitionsDefinition("2024-02-28-00:00", "2024-03-02-00:00")
REGIONS = StaticPartitionsDefinition(["eu", "us"])
COUNTRIES = StaticPartitionsDefinition(["de", "fr", "us"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
BACK = TimeWindowPartitionMapping(-1, -1)
A, B = AssetKey("a"), AssetKey("b")


def looking_back() -> Any:
    @asset(partitions_def=DAYS, ins={"b": AssetIn(partition_mapping=BACK)})
    def b(b: Any) -> None: ...

    return b


def declared(name: str, mapping: PartitionMapping | None, partitions_def: Any = DAYS) -> Any:
    """An asset that is made from `a`."""

    @asset(name=name, partitions_def=partitions_def, ins={"a": AssetIn(partition_mapping=mapping)})
    def made(a: Any) -> None: ...

    return made


def graph_of(up: Any, down: Any, mapping: PartitionMapping | None = None) -> AssetGraph:
    return AssetGraph.build([SourceAsset("a", partitions_def=up), declared("b", mapping, down)])


@pytest.mark.parametrize(
    ("up", "down", "mapping", "partition", "keys"),
    [
        (DAYS, DAYS, None, DAY, [DAY]),
        (DAYS, DAYS, BACK, DAY, ["2024-02-28"]),
        (HOURS, DAYS, None, DAY, [f"{DAY}-{hour:02}:00" for hour in range(24)]),
        (DAYS, HOURS, None, f"{DAY}-07:00", [DAY]),
        (REGIONS, DAYS, AllPartitionMapping(), DAY, ["eu", "us"]),
        (DAYS, DAYS, LastPartitionMapping(), DAY, ["2024-03-01"]),
        (REGIONS, DAYS, SpecificPartitionsPartitionMapping(["us"]), DAY, ["us"]),
        (COUNTRIES, REGIONS, StaticPartitionMapping({"de": "eu", "fr": "eu", "us": "us"}), "eu", ["de", "fr"]),
        (BOTH, DAYS, None, DAY, [f"{DAY}|eu", f"{DAY}|us"]),
        (DAYS, BOTH, None, f"{DAY}|us", [DAY]),
        (DAYS, None, None, None, list(DAYS.get_partition_keys())),
        (DAYS, None, LastPartitionMapping(), None, ["2024-03-01"]),
        (None, DAYS, None, DAY, [None]),
        (None, None, None, None, [None]),
        (HOURS, DAYS, None, "2024-02-27", []),
    ],
    ids=[
        "identity", "day_before", "hours_of_a_day", "day_of_an_hour", "all", "last", "specific", "static", "fewer_dimensions",
        "more_dimensions", "whole_of_all", "whole_of_the_last", "partition_of_a_whole", "whole_of_a_whole", "not_there",
    ],
)  # fmt: skip
def test_a_partition_is_made_from_those_that_its_mapping_says_and_that_exist(
    up: Any, down: Any, mapping: Any, partition: str | None, keys: list[str | None]
) -> None:
    links = PartitionLinks(graph_of(up, down, mapping))

    every = links.inputs(B, links.partitions(B))[A]

    assert partition in every
    assert [list(every[partition]), list(links.inputs(B, [partition])[A][partition])] == [keys, keys]


def test_dynamic_partitions_are_those_of_the_store() -> None:
    names = DynamicPartitionsDefinition("names")
    graph = graph_of(names, names)
    with Instance.ephemeral() as instance:
        instance.add_dynamic_partitions("names", ["ann", "bob"])

        assert PartitionLinks(graph, instance).partitions(B) == ("ann", "bob")
        assert PartitionLinks(graph, instance).inputs(B, ["bob", "cid"])[A] == {"bob": ("bob",), "cid": ()}


def test_partitions_are_those_of_one_time() -> None:
    graph = graph_of(DailyPartitionsDefinition("2024-01-01"), None)

    links = PartitionLinks(graph, current_time=datetime(2024, 1, 3, 1, tzinfo=UTC))

    assert [links.partitions(key) for key in (A, B)] == [("2024-01-01", "2024-01-02"), WHOLE]


def test_a_table_that_two_arguments_read_is_made_from_the_partitions_of_both() -> None:
    @asset(partitions_def=DAYS, ins={"before": AssetIn("a", partition_mapping=BACK)})
    def b(before: Any, a: Any) -> None: ...

    links = PartitionLinks(AssetGraph.build([SourceAsset("a", partitions_def=DAYS), b]))

    assert links.inputs(B, [DAY]) == {A: {DAY: ("2024-02-28", DAY)}}


def test_a_table_is_made_from_its_own_earlier_partitions() -> None:
    links = PartitionLinks(AssetGraph.build([looking_back()]))

    assert links.inputs(B, ["2024-02-27", DAY]) == {B: {"2024-02-27": (), DAY: ("2024-02-28",)}}


def test_equal_questions_have_one_answer_and_equal_answers_are_one_object() -> None:
    everything = AllPartitionMapping()
    graph = AssetGraph.build(
        [SourceAsset("a", partitions_def=DAYS), *(declared(name, everything) for name in ("b", "c"))],
    )
    links = PartitionLinks(graph)
    first, second = (links.inputs(AssetKey(name), links.partitions(B))[A] for name in ("b", "c"))

    assert first is second
    assert len([*different(first.values())]) == 1


def test_a_mapping_of_ones_own_is_asked_partition_by_partition() -> None:
    class Opposite(PartitionMapping):
        def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
            return UpstreamPartitions(tuple({"eu": "us", "us": "eu"}[key] for key in downstream_keys))

        def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
            return self.get_upstream_keys(upstream_keys, pair).keys

    links = PartitionLinks(graph_of(REGIONS, REGIONS, Opposite()))

    assert links.inputs(B, ["eu", "us"]) == {A: {"eu": ("us",), "us": ("eu",)}}


# all that is upstream


def test_what_is_upstream_is_followed_partition_by_partition_to_the_sources() -> None:
    @asset(partitions_def=DAYS, ins={"a": AssetIn(partition_mapping=TimeWindowPartitionMapping(-1, 0))})
    def b(a: Any) -> None: ...

    @asset(partitions_def=DAYS, deps=["rates"])
    def c(b: Any) -> None: ...

    graph = AssetGraph.build([SourceAsset("a", partitions_def=HOURS), SourceAsset("rates"), b, c, declared("d", BACK)])

    found = PartitionLinks(graph).upstream({AssetKey("c"): ["2024-03-01"]})

    assert {key.to_user_string(): len(partitions) for key, partitions in found.items()} == {"c": 1, "b": 1, "a": 48, "rates": 1}
    assert (found[B], found[AssetKey("rates")]) == (("2024-03-01",), WHOLE)


def test_of_a_table_that_is_made_from_itself_all_partitions_are_upstream() -> None:
    graph = AssetGraph.build([looking_back()])

    assert PartitionLinks(graph).upstream({B: [DAY]}) == {B: tuple(DAYS.get_partition_keys())}


# the order of partitions


def test_each_partition_comes_after_those_it_is_made_from() -> None:
    earlier = {"a": ("c",), "b": ("a", "not asked for"), "c": ()}

    assert in_order(["a", "b", "c"], earlier) == ("c", "a", "b")


def test_partitions_that_need_each_other_keep_their_order() -> None:
    assert in_order(["a", "b"], {"a": ("b",), "b": ("a",)}) == ["a", "b"]


def test_thousands_of_partitions_in_a_row_need_no_recursion() -> None:
    names = [f"{number:05}" for number in range(10_000)]
    earlier = {name: names[max(0, number - 1) : number] for number, name in enumerate(names)}

    assert in_order(names[::-1], earlier) == tuple(names)
