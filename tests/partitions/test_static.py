from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import PartitionKeyRange, StaticPartitionsDefinition
from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError

REGIONS = StaticPartitionsDefinition(["eu", "us", "asia", "africa"])

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=4).filter(
    lambda text: "..." not in text
)


@pytest.mark.semantics(37)
def test_partitions_are_those_that_are_listed() -> None:
    keys = REGIONS.get_partition_keys()

    assert (keys, REGIONS.get_num_partitions()) == (("eu", "us", "asia", "africa"), 4)
    assert (REGIONS.get_first_partition_key(), REGIONS.get_last_partition_key()) == ("eu", "africa")
    assert (REGIONS.has_partition_key("us"), REGIONS.has_partition_key("US")) == (True, False)


@given(st.lists(texts, min_size=1, unique=True), st.data())
def test_a_range_is_a_slice_of_the_keys(keys: list[str], data: st.DataObject) -> None:
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(keys) - 1)] * 2)))
    partitions = StaticPartitionsDefinition(keys)

    assert list(partitions.get_partition_keys_in_range(PartitionKeyRange(keys[low], keys[high]))) == keys[low : high + 1]


@pytest.mark.semantics(37)
def test_a_partition_that_does_not_exist_is_refused_with_close_matches() -> None:
    with pytest.raises(PartitionNotFoundError) as caught:
        REGIONS.validate_partition_key("asien")

    assert str(caught.value) == (
        "there is no partition 'asien' in static partitions 'eu', 'us', 'asia', …. Did you mean 'asia'?"
    )


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [("eu", "mars", "no partition 'mars'"), ("asia", "eu", "from 'asia' to 'eu' ends before it starts")],
)
def test_a_range_that_is_none_is_refused(start: str, end: str, message: str) -> None:
    with pytest.raises(PartitionNotFoundError, match=message):
        REGIONS.get_partition_keys_in_range(PartitionKeyRange(start, end))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("abc", "the keys of static partitions are one string, 'abc'"),
        ([""], "a key that is not a non-empty string: ''"),
        ([1], "a key that is not a non-empty string: 1"),
        (["a...b"], "the key 'a...b', which holds '...'"),
        (["a\nb"], "which holds '\\\\n'"),
        (["a", "b", "a"], "the key 'a' twice"),
    ],
)
def test_keys_that_cannot_be_are_refused(keys: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        StaticPartitionsDefinition(keys)


def test_definitions_are_values() -> None:
    assert StaticPartitionsDefinition(["a"]) == StaticPartitionsDefinition(("a",))
    assert len({StaticPartitionsDefinition(["a"]), StaticPartitionsDefinition(("a",)), REGIONS}) == 2


def test_no_partitions_are_no_fault() -> None:
    empty = StaticPartitionsDefinition([])

    assert (empty.get_partition_keys(), empty.get_first_partition_key(), empty.get_last_partition_key()) == ((), None, None)
