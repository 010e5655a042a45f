from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import (
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    TimeWindowPartitionsDefinition,
)
from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError

DAYS = DailyPartitionsDefinition("2024-01-01", "2024-01-04")
REGIONS = StaticPartitionsDefinition(["us", "eu"])
BOTH = MultiPartitionsDefinition({"region": REGIONS, "day": DAYS})

parts = st.text(st.characters(codec="utf-8", exclude_characters="|"), min_size=1, max_size=4)


class Store:
    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        return {"customers": ["ada", "grace"], "faulty": ["a|b"]}[partitions_def_name]


@pytest.mark.semantics(37)
def test_partitions_are_all_combinations_by_the_names_of_dimensions() -> None:
    keys = BOTH.get_partition_keys()

    assert keys == ("2024-01-01|us", "2024-01-01|eu", "2024-01-02|us", "2024-01-02|eu", "2024-01-03|us", "2024-01-03|eu")
    assert (BOTH.partition_dimension_names, BOTH.get_num_partitions()) == (("day", "region"), 6)
    assert (BOTH.get_first_partition_key(), BOTH.get_last_partition_key()) == (keys[0], keys[-1])
    assert all(BOTH.has_partition_key(key) for key in keys)


@pytest.mark.semantics(37)
def test_a_key_knows_its_dimensions() -> None:
    first = BOTH.get_partition_keys()[0]
    read = BOTH.get_partition_key_from_str("2024-01-01|us")

    assert isinstance(first, MultiPartitionKey)
    assert first.keys_by_dimension == read.keys_by_dimension == {"day": "2024-01-01", "region": "us"}


@pytest.mark.parametrize("key", ["", "us", "2024-01-01|", "2024-01-01|us|x"])
def test_a_text_without_a_part_for_each_dimension_is_no_key(key: str) -> None:
    with pytest.raises(PartitionNotFoundError, match=r"Keys have the form 'day\|region'"):
        BOTH.get_partition_key_from_str(key)


@given(st.dictionaries(parts, parts, min_size=1, max_size=4))
def test_a_key_is_its_text_and_round_trips(keys: Mapping[str, str]) -> None:
    key = MultiPartitionKey(keys)

    assert key == "|".join(keys[name] for name in sorted(keys))
    for copy in (pickle.loads(pickle.dumps(key)), deepcopy(key)):
        assert (copy, copy.keys_by_dimension) == (key, keys)


@pytest.mark.parametrize("part", ["", "a|b"])
def test_a_part_that_cannot_be_in_a_key_is_refused(part: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"the key '.*' of dimension 'b' is empty, or holds '|'"):
        MultiPartitionKey({"a": "x", "b": part})


def test_a_range_is_one_along_each_dimension() -> None:
    found = BOTH.get_partition_keys_in_range(PartitionKeyRange("2024-01-02|us", "2024-01-03|us"))

    assert found == ("2024-01-02|us", "2024-01-03|us")


def test_one_key_along_a_dimension_gives_its_partitions() -> None:
    assert BOTH.get_multipartition_keys_with_dimension_value("day", "2024-01-02") == ("2024-01-02|us", "2024-01-02|eu")
    with pytest.raises(
        PartitionNotFoundError, match=r"no dimension 'days' in partitions by day and region\. Did you mean 'day'\?"
    ):
        BOTH.get_multipartition_keys_with_dimension_value("days", "2024-01-02")


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("2024-01-01", "Keys have the form 'day|region'."),
        ("2024-01-01|us|x", "Keys have the form 'day|region'."),
        ("2024-01-01|usa", "There is no 'usa' by region, of static partitions 'us', 'eu'. Did you mean 'us'?"),
        (
            "2024-01-04|us",
            "There is no '2024-01-04' by day, of daily partitions from '2024-01-01' (UTC). There are those from '2024-01-01' to '2024-01-03'.",
        ),
        ("2024-01-01|", "There is no '' by region, of static partitions 'us', 'eu'."),
    ],
)
def test_a_partition_that_does_not_exist_is_refused_with_the_part_at_fault(key: str, hint: str) -> None:
    with pytest.raises(PartitionNotFoundError) as caught:
        BOTH.validate_partition_key(key)

    assert (BOTH.has_partition_key(key), caught.value.hint) == (False, hint)


def test_the_window_is_that_of_the_dimension_of_time() -> None:
    window = BOTH.time_window_for_partition_key("2024-01-02|eu")

    assert (window.start, window.end) == (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))
    assert BOTH.time_window_dimension == BOTH.partitions_defs[0]


@pytest.mark.parametrize("dimensions", [{"a": REGIONS, "b": REGIONS}, {"a": DAYS, "b": DAYS}], ids=["none", "two"])
def test_without_one_dimension_of_time_there_is_no_window(dimensions: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidDefinitionError, match="partitions by a and b do not have one dimension of time windows"):
        MultiPartitionsDefinition(dimensions).time_window_for_partition_key("x|y")


def test_dimensions_may_be_dynamic() -> None:
    partitions = MultiPartitionsDefinition({"customer": DynamicPartitionsDefinition("customers"), "region": REGIONS})

    assert partitions.get_partition_keys(None, Store()) == ("ada|us", "ada|eu", "grace|us", "grace|eu")
    assert partitions.has_partition_key("ada|eu", None, Store())
    with pytest.raises(InvalidDefinitionError, match=r"the key 'a\|b' of dimension 'customer'"):
        MultiPartitionsDefinition({"customer": DynamicPartitionsDefinition("faulty"), "region": REGIONS}).get_partition_keys(
            None, Store()
        )


def test_an_empty_dimension_leaves_nothing() -> None:
    partitions = MultiPartitionsDefinition({"a": StaticPartitionsDefinition([]), "b": REGIONS})

    assert (partitions.get_partition_keys(), partitions.get_num_partitions(), partitions.get_last_partition_key()) == (
        (),
        0,
        None,
    )


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({"a": REGIONS}, "multi-partitions have 1 dimensions"),
        ({"a": REGIONS, "": REGIONS}, "the name of a dimension is not a non-empty string"),
        ({"a": REGIONS, "b": BOTH}, "the partitions of dimension 'b' cannot be partitions by day and region"),
        ({"a": REGIONS, "b": ["x"]}, r"the partitions of dimension 'b' cannot be \['x'\]"),
        ({"a": REGIONS, "b": StaticPartitionsDefinition(["x|y"])}, r"dimension 'b' has the key 'x\|y', which holds '\|'"),
        ({"a": REGIONS, "b": StaticPartitionsDefinition(["x,y"])}, "which holds ','"),
        (
            {"a": REGIONS, "b": TimeWindowPartitionsDefinition("[2024]", "[%Y]", cron_schedule="@yearly")},
            r"the key '\[%Y\]', which holds '\['",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_dimensions_that_cannot_be_are_refused(dimensions: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        MultiPartitionsDefinition(dimensions)


def test_definitions_are_values() -> None:
    same = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})

    assert (same, hash(same)) == (BOTH, hash(BOTH))
