from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from warehouse_assets import (
    AssetKey,
    DailyPartitionsDefinition,
    InputContext,
    MetadataValue,
    OutputContext,
    PartitionKeyRange,
    StaticPartitionsDefinition,
)
from warehouse_assets.errors import InvalidMetadataError

KEY = AssetKey(["staging", "orders"])


@pytest.mark.semantics(23)
def test_what_is_said_of_a_write_is_collected() -> None:
    context = OutputContext(KEY)
    context.add_output_metadata({"rows": 3})
    context.add_output_metadata({"path": "x"})

    assert context.output_metadata == {"rows": MetadataValue.int(3), "path": MetadataValue.text("x")}


@pytest.mark.semantics(23)
def test_the_same_metadata_twice_is_an_error_and_changes_nothing() -> None:
    context = OutputContext(KEY)
    context.add_output_metadata({"rows": 3})

    with pytest.raises(InvalidMetadataError, match=r"manager of asset 'staging/orders' set the metadata \['rows'\] twice"):
        context.add_output_metadata({"rows": 4, "more": 5})

    assert context.output_metadata == {"rows": MetadataValue.int(3)}


@pytest.mark.parametrize("make", [OutputContext, InputContext], ids=["output", "input"])
@pytest.mark.parametrize("partitions", [(), ("a",), ("a", "b")], ids=len)
def test_a_context_knows_its_partitions(make: Any, partitions: tuple[str, ...]) -> None:
    context = make(KEY, partition_keys=partitions, partitions_def=StaticPartitionsDefinition(["a", "b"]))

    assert (context.has_asset_partitions, context.has_partition_key) == (True, len(partitions) == 1)
    assert context.asset_partition_keys == partitions
    if len(partitions) == 1:
        assert context.partition_key == context.asset_partition_key == "a"
    else:
        with pytest.raises(LookupError, match=r"'staging/orders' has (no partition|2 partitions) here, not one"):
            context.partition_key  # noqa: B018


@pytest.mark.semantics(24, 43)
@pytest.mark.parametrize(
    ("own", "upstream", "columns"),
    [
        ({}, {}, None),
        ({"columns": ["a", "b"]}, {}, ("a", "b")),
        ({}, {"columns": ("a",)}, ("a",)),
        ({"columns": ["a"]}, {"columns": ["a", "b"]}, ("a",)),
    ],
    ids=str,
)
def test_the_columns_to_read_are_those_of_the_input_or_of_the_source(own: Any, upstream: Any, columns: Any) -> None:
    context = InputContext(KEY, metadata=own, upstream_output=OutputContext(KEY, definition_metadata=upstream))

    assert (context.columns, context.definition_metadata) == (columns, own)


@pytest.mark.parametrize("columns", ["a", 3, [1], {"a": "b"}], ids=repr)
def test_columns_that_are_no_list_of_names_are_an_error(columns: Any) -> None:
    with pytest.raises(InvalidMetadataError, match="'staging/orders' is not a list of column names"):
        InputContext(KEY, metadata={"columns": columns}).columns  # noqa: B018


def test_contexts_can_be_made_from_a_key_alone() -> None:
    context = InputContext(KEY)

    assert (context.upstream_output.asset_key, context.type_hint, context.partition_keys) == (KEY, None, ())


@pytest.mark.semantics(37)
@pytest.mark.parametrize("make", [OutputContext, InputContext], ids=["output", "input"])
def test_a_context_knows_the_range_and_the_time_of_its_partitions(make: Any) -> None:
    days = DailyPartitionsDefinition("2024-01-01")
    context = make(KEY, partition_keys=("2024-02-28", "2024-02-29"), partitions_def=days)

    assert context.asset_partitions_def is days
    assert context.asset_partition_key_range == PartitionKeyRange("2024-02-28", "2024-02-29")
    assert context.asset_partitions_time_window.duration == timedelta(days=2)


@pytest.mark.semantics(37)
@pytest.mark.parametrize("make", [OutputContext, InputContext], ids=["output", "input"])
@pytest.mark.parametrize(
    "question",
    [
        "partition_key",
        "asset_partition_key",
        "asset_partition_key_range",
        "asset_partitions_def",
        "asset_partitions_time_window",
    ],
)
def test_a_context_of_a_whole_table_says_that_it_is_one(make: Any, question: str) -> None:
    with pytest.raises(LookupError, match="asset 'staging/orders' is not partitioned"):
        getattr(make(KEY), question)
