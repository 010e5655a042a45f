from __future__ import annotations

from collections.abc import Sequence

import pytest

from warehouse_assets import DynamicPartitionsDefinition, PartitionKeyRange
from warehouse_assets.errors import InvalidDefinitionError, InvalidInvocationError, PartitionNotFoundError
from warehouse_assets.partitions.definition import DynamicPartitionsStore


class Store:
    def __init__(self, **keys: list[str]) -> None:
        self.keys = keys

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        return self.keys.get(partitions_def_name, [])


@pytest.mark.semantics(37)
def test_the_store_knows_the_keys() -> None:
    customers = DynamicPartitionsDefinition(name="customers")
    store = Store(customers=["ada", "grace"])

    store.keys["customers"].append("mary")

    assert isinstance(store, DynamicPartitionsStore)
    assert customers.get_partition_keys(dynamic_partitions_store=store) == ("ada", "grace", "mary")
    assert customers.get_num_partitions(dynamic_partitions_store=store) == 3
    assert customers.get_last_partition_key(dynamic_partitions_store=store) == "mary"
    assert customers.get_partition_keys_in_range(PartitionKeyRange("ada", "grace"), None, store) == ("ada", "grace")
    assert DynamicPartitionsDefinition("others").get_partition_keys(None, store) == ()


def test_without_a_store_there_is_no_answer() -> None:
    with pytest.raises(InvalidInvocationError, match="the keys of dynamic partitions 'customers' are not known"):
        DynamicPartitionsDefinition("customers").get_partition_keys()


@pytest.mark.semantics(37)
def test_a_partition_that_does_not_exist_is_refused_with_close_matches() -> None:
    with pytest.raises(
        PartitionNotFoundError, match=r"no partition 'grave' in dynamic partitions 'customers'\. Did you mean 'grace'\?"
    ):
        DynamicPartitionsDefinition("customers").validate_partition_key("grave", None, Store(customers=["ada", "grace"]))


def test_a_name_is_needed() -> None:
    with pytest.raises(InvalidDefinitionError, match="the name of dynamic partitions is not a non-empty string: ''"):
        DynamicPartitionsDefinition("")
