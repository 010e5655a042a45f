from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import (
    AllPartitionMapping,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    IdentityPartitionMapping,
    LastPartitionMapping,
    PartitionMapping,
    PartitionsPair,
    SpecificPartitionsPartitionMapping,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
    UpstreamPartitions,
)
from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError

LETTERS = StaticPartitionsDefinition(["a", "b", "c", "d"])
SOME = StaticPartitionsDefinition(["b", "c", "x"])
LETTER_LINKS = StaticPartitionMapping({"a": "b", "b": ["b", "c"], "d": ["x"]})
MAPPINGS: list[PartitionMapping] = [
    IdentityPartitionMapping(),
    AllPartitionMapping(),
    LastPartitionMapping(),
    SpecificPartitionsPartitionMapping(["a", "d"]),
    LETTER_LINKS,
]


class Store:
    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        return ["a", "b", "e"]


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("mapping", "upstream", "downstream"),
    [
        (IdentityPartitionMapping(), UpstreamPartitions(("b",), ("x",)), ("b",)),
        (AllPartitionMapping(), UpstreamPartitions(("a", "b", "c", "d")), ("b", "c", "x")),
        (LastPartitionMapping(), UpstreamPartitions(("d",)), ()),
        (SpecificPartitionsPartitionMapping(["a", "d"]), UpstreamPartitions(("a", "d")), ("b", "c", "x")),
        (LETTER_LINKS, UpstreamPartitions(("a", "b", "d")), ("b", "c")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_partitions_are_mapped_both_ways(
    mapping: PartitionMapping, upstream: UpstreamPartitions, downstream: tuple[str, ...]
) -> None:
    pair = PartitionsPair(LETTERS, SOME)

    assert mapping.get_upstream_keys(["b", "x"], pair) == upstream
    assert mapping.get_downstream_keys(["a", "b"], pair) == downstream
    assert mapping.looks_back is False


@pytest.mark.semantics(37)
@given(st.sampled_from(MAPPINGS), st.lists(st.sampled_from(["b", "c", "x"]), unique=True))
def test_there_and_back_leads_to_where_it_began(mapping: PartitionMapping, keys: list[str]) -> None:
    pair = PartitionsPair(LETTERS, SOME)

    for key in keys:
        for source in mapping.get_upstream_keys([key], pair).keys:
            assert key in mapping.get_downstream_keys([source], pair)
    for source in ("a", "b", "c", "d"):
        for made in mapping.get_downstream_keys([source], pair):
            assert source in mapping.get_upstream_keys([made], pair).keys


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (AllPartitionMapping(), ("a", "b", "c", "d")),
        (LastPartitionMapping(), ("d",)),
        (SpecificPartitionsPartitionMapping(["b"]), ("b",)),
    ],
    ids=repr,
)
def test_a_table_without_partitions_is_made_from_partitions(mapping: PartitionMapping, expected: tuple[str, ...]) -> None:
    pair = PartitionsPair(LETTERS, None)

    assert (mapping.get_upstream_keys([], pair).keys, mapping.get_downstream_keys(["a", "b", "d"], pair)) == (expected, ())


@pytest.mark.parametrize("mapping", MAPPINGS, ids=repr)
def test_a_table_without_partitions_has_none_to_give(mapping: PartitionMapping) -> None:
    assert mapping.get_upstream_keys(["b"], PartitionsPair(None, SOME)).keys == ()


@given(st.sampled_from(MAPPINGS), st.lists(st.sampled_from(SOME.get_partition_keys()), unique=True))
def test_many_keys_are_mapped_as_each_of_them(mapping: PartitionMapping, keys: list[str]) -> None:
    pair = PartitionsPair(LETTERS, SOME)

    assert mapping.get_upstream_keys_of_each(keys, pair) == {key: mapping.get_upstream_keys([key], pair) for key in keys}


def test_nothing_upstream_changes_nothing_downstream() -> None:
    pair = PartitionsPair(LETTERS, SOME)

    assert [tuple(mapping.get_downstream_keys([], pair)) for mapping in MAPPINGS] == [()] * len(MAPPINGS)


def test_the_store_of_dynamic_partitions_is_asked() -> None:
    pair = PartitionsPair(DynamicPartitionsDefinition("letters"), LETTERS, dynamic_partitions_store=Store())

    assert IdentityPartitionMapping().get_upstream_keys(["b", "c"], pair) == UpstreamPartitions(("b",), ("c",))
    assert LastPartitionMapping().get_upstream_keys(["b"], pair) == UpstreamPartitions(("e",))


def test_the_last_partition_is_the_last_at_the_time() -> None:
    days = DailyPartitionsDefinition("2024-01-01", "2024-01-10")
    pair = PartitionsPair(days, None, current_time=days.time_window_for_partition_key("2024-01-05").end)

    assert LastPartitionMapping().get_upstream_keys([], pair) == UpstreamPartitions(("2024-01-05",))


@pytest.mark.parametrize(
    ("links", "upstream", "downstream", "error", "message"),
    [
        ({"z": "b"}, LETTERS, SOME, PartitionNotFoundError, "no partition 'z' in static partitions 'a', 'b', 'c', …"),
        ({"a": ["b", "z"]}, LETTERS, SOME, PartitionNotFoundError, "no partition 'z' in static partitions 'b', 'c', 'x'"),
        ({"a": "b"}, LETTERS, None, InvalidDefinitionError, "a static partition mapping has no downstream partitions"),
        ({"a": "b"}, None, SOME, InvalidDefinitionError, "a static partition mapping has no upstream partitions"),
    ],
)
def test_a_static_mapping_of_what_is_not_there_is_refused(
    links: Any, upstream: Any, downstream: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        StaticPartitionMapping(links).validate(upstream, downstream)


def test_mappings_stand_between_what_they_can() -> None:
    for mapping in MAPPINGS:
        mapping.validate(LETTERS, SOME)

    assert len({*MAPPINGS, *MAPPINGS}) == len(MAPPINGS)
