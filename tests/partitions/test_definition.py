from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

from warehouse_assets import PartitionKeyRange, PartitionsDefinition
from warehouse_assets.errors import PartitionNotFoundError
from warehouse_assets.partitions.definition import DynamicPartitionsStore, checked_partition_keys


class Squares(PartitionsDefinition):
    """Partitions of one's own: only the keys need be said."""

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        return [str(number**2) for number in range(100)]

    def __str__(self) -> str:
        return "squares"


@pytest.mark.semantics(37)
def test_a_definition_of_ones_own_answers_from_its_keys() -> None:
    squares = Squares()

    assert (squares.get_num_partitions(), squares.get_first_partition_key(), squares.get_last_partition_key()) == (
        100,
        "0",
        "9801",
    )
    assert (squares.has_partition_key("16"), squares.has_partition_key("17")) == (True, False)
    assert squares.get_partition_keys_in_range(PartitionKeyRange("4", "16")) == ["4", "9", "16"]
    with pytest.raises(PartitionNotFoundError, match=r"there is no partition '9802' in squares. Did you mean '9801'"):
        squares.validate_partition_key("9802")


@pytest.mark.parametrize("key", ["a b", "ä", "a/b", "a|b", "..", "\N{SNOWMAN}"])
def test_most_texts_can_be_keys(key: str) -> None:
    assert checked_partition_keys([key], "partitions") == (key,)
