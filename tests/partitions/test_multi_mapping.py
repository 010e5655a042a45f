from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import (
    DailyPartitionsDefinition,
    DimensionPartitionMapping,
    HourlyPartitionsDefinition,
    MultiPartitionMapping,
    MultiPartitionsDefinition,
    MultiToSingleDimensionPartitionMapping,
    PartitionMapping,
    PartitionsDefinition,
    PartitionsPair,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    UpstreamPartitions,
)
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.partitions.default_mapping import default_partition_mapping

DAYS = DailyPartitionsDefinition("2024-01-01", "2024-01-04")
HOURS = HourlyPartitionsDefinition("2024-01-01-00:00", "2024-01-04-00:00")
REGIONS = StaticPartitionsDefinition(["us", "eu"])
COUNTRIES = StaticPartitionsDefinition(["de", "fr", "us"])
BY_REGION = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
BY_COUNTRY = MultiPartitionsDefinition({"country": COUNTRIES, "day": DAYS})

YESTERDAY = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
OF_REGION = StaticPartitionMapping({"de": "eu", "fr": "eu", "us": "us"})
SELF = MultiPartitionMapping(
    {"day": DimensionPartitionMapping("day", YESTERDAY), "region": DimensionPartitionMapping("region")}
)
TO_REGION = MultiPartitionMapping(
    {
        "country": DimensionPartitionMapping("region", OF_REGION),
        "day": DimensionPartitionMapping("day", TimeWindowPartitionMapping()),
    }
)
CASES: list[tuple[PartitionMapping, PartitionsDefinition, PartitionsDefinition]] = [
    (SELF, BY_REGION, BY_REGION),
    (TO_REGION, BY_COUNTRY, BY_REGION),
    (MultiPartitionMapping({}), BY_COUNTRY, BY_REGION),
    (MultiToSingleDimensionPartitionMapping(), BY_REGION, REGIONS),
    (MultiToSingleDimensionPartitionMapping("day"), BY_REGION, DAYS),
    (MultiToSingleDimensionPartitionMapping(), BY_REGION, HOURS),
    (MultiToSingleDimensionPartitionMapping(), HOURS, BY_REGION),
    (default_partition_mapping(BY_COUNTRY, BY_REGION), BY_COUNTRY, BY_REGION),
]


@pytest.mark.semantics(37)
@given(st.sampled_from(CASES), st.data())
def test_there_and_back_leads_to_where_it_began(
    case: tuple[PartitionMapping, PartitionsDefinition, PartitionsDefinition], data: st.DataObject
) -> None:
    mapping, upstream, downstream = case
    pair = PartitionsPair(upstream, downstream)
    key = data.draw(st.sampled_from(downstream.get_partition_keys()))
    source = data.draw(st.sampled_from(upstream.get_partition_keys()))

    assert all(key in mapping.get_downstream_keys([found], pair) for found in mapping.get_upstream_keys([key], pair).keys)
    assert all(source in mapping.get_upstream_keys([made], pair).keys for made in mapping.get_downstream_keys([source], pair))
    assert all(upstream.has_partition_key(found) for found in mapping.get_upstream_keys([key], pair).keys)


@given(st.sampled_from(CASES), st.data())
def test_many_keys_are_mapped_as_each_of_them(
    case: tuple[PartitionMapping, PartitionsDefinition, PartitionsDefinition], data: st.DataObject
) -> None:
    mapping, upstream, downstream = case
    pair = PartitionsPair(upstream, downstream)
    keys = data.draw(st.lists(st.sampled_from(downstream.get_partition_keys()), unique=True))
    apart = [mapping.get_upstream_keys([key], pair) for key in keys]
    together = mapping.get_upstream_keys(keys, pair)

    assert mapping.get_upstream_keys_of_each(keys, pair) == dict(zip(keys, apart, strict=True))
    assert {*together.keys} == {key for answer in apart for key in answer.keys}


@pytest.mark.semantics(8, 37)
def test_a_table_may_depend_on_the_day_before_in_each_region() -> None:
    pair = PartitionsPair(BY_REGION, BY_REGION)

    assert SELF.looks_back
    assert SELF.get_upstream_keys(["2024-01-02|us"], pair) == UpstreamPartitions(("2024-01-01|us",))
    assert SELF.get_upstream_keys(["2024-01-01|us"], pair) == UpstreamPartitions((), ("2023-12-31|us",))
    assert SELF.get_downstream_keys(["2024-01-01|eu", "2024-01-03|eu"], pair) == ("2024-01-02|eu",)


@pytest.mark.semantics(37)
def test_dimensions_of_other_names_are_mapped() -> None:
    pair = PartitionsPair(BY_COUNTRY, BY_REGION)

    assert TO_REGION.get_upstream_keys(["2024-01-02|eu"], pair).keys == ("de|2024-01-02", "fr|2024-01-02")
    assert TO_REGION.get_downstream_keys(["de|2024-01-02", "fr|2024-01-02", "us|2024-01-03"], pair) == (
        "2024-01-02|eu",
        "2024-01-03|us",
    )
    assert not TO_REGION.looks_back


@pytest.mark.semantics(37)
def test_along_a_dimension_without_mapping_everything_belongs_to_everything() -> None:
    mapping = MultiPartitionMapping({"day": DimensionPartitionMapping("day")})
    pair = PartitionsPair(BY_COUNTRY, BY_REGION)

    assert mapping.get_upstream_keys(["2024-01-02|eu"], pair).keys == ("de|2024-01-02", "fr|2024-01-02", "us|2024-01-02")
    assert mapping.get_downstream_keys(["de|2024-01-02"], pair) == ("2024-01-02|us", "2024-01-02|eu")
    assert (mapping.get_upstream_keys([], pair), mapping.get_downstream_keys([], pair)) == (UpstreamPartitions(()), ())


@pytest.mark.semantics(37)
def test_one_dimension_is_mapped_to_single_partitions() -> None:
    mapping = MultiToSingleDimensionPartitionMapping()
    to_region, from_region = PartitionsPair(BY_REGION, REGIONS), PartitionsPair(REGIONS, BY_REGION)
    days = ["2024-01-01", "2024-01-02", "2024-01-03"]

    assert mapping.get_upstream_keys(["eu"], to_region).keys == tuple(f"{day}|eu" for day in days)
    assert mapping.get_downstream_keys(["2024-01-02|eu"], to_region) == ("eu",)
    assert mapping.get_upstream_keys(["2024-01-02|eu"], from_region).keys == ("eu",)
    assert mapping.get_downstream_keys(["eu"], from_region) == tuple(f"{day}|eu" for day in days)


@pytest.mark.semantics(37)
def test_windows_of_another_length_are_mapped_to_the_dimension_of_time() -> None:
    mapping = MultiToSingleDimensionPartitionMapping()
    pair = PartitionsPair(HOURS, BY_REGION, current_time=datetime(2024, 1, 1, 23, tzinfo=UTC))

    found = mapping.get_upstream_keys(["2024-01-01|eu"], pair)

    assert (found.keys[0], len(found.keys), found.nonexistent) == ("2024-01-01-00:00", 23, ("2024-01-01-23:00",))


@pytest.mark.parametrize(
    ("mapping", "upstream", "downstream", "message"),
    [
        (SELF, BY_REGION, REGIONS, "needs downstream multi-partitions, not static partitions"),
        (SELF, None, BY_REGION, "needs upstream multi-partitions, not none"),
        (SELF, BY_COUNTRY, BY_REGION, "names the dimension 'region', which the upstream lacks"),
        (
            MultiPartitionMapping({"day": DimensionPartitionMapping("days")}),
            BY_REGION,
            BY_REGION,
            "names the dimension 'days', which the downstream lacks. Did you mean 'day'?",
        ),
        (
            MultiPartitionMapping({"day": DimensionPartitionMapping("day"), "region": DimensionPartitionMapping("day")}),
            BY_REGION,
            BY_REGION,
            "two upstream dimensions are mapped to one downstream dimension",
        ),
        (
            MultiPartitionMapping({"region": DimensionPartitionMapping("region", YESTERDAY)}),
            BY_REGION,
            BY_REGION,
            "needs upstream partitions that are time windows",
        ),
        (
            MultiToSingleDimensionPartitionMapping(),
            BY_REGION,
            COUNTRIES,
            "no dimension fits static partitions 'de', 'fr', 'us'",
        ),
        (
            MultiToSingleDimensionPartitionMapping(),
            MultiPartitionsDefinition({"from": REGIONS, "to": REGIONS}),
            REGIONS,
            "the dimensions 'from' and 'to' fit static partitions 'us', 'eu'",
        ),
        (MultiToSingleDimensionPartitionMapping("dya"), BY_REGION, DAYS, "names the dimension 'dya'"),
        (MultiToSingleDimensionPartitionMapping(), BY_REGION, BY_COUNTRY, "needs multi-partitions on one side"),
        (MultiToSingleDimensionPartitionMapping(), DAYS, REGIONS, "needs multi-partitions on one side"),
        (MultiToSingleDimensionPartitionMapping(), BY_REGION, None, "no dimension fits none"),
    ],
)
def test_a_mapping_that_cannot_stand_between_them_is_refused(
    mapping: PartitionMapping, upstream: Any, downstream: Any, message: str
) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        mapping.validate(upstream, downstream)


@pytest.mark.parametrize("case", CASES)
def test_a_mapping_that_can_is_not(case: tuple[PartitionMapping, PartitionsDefinition, PartitionsDefinition]) -> None:
    mapping, upstream, downstream = case

    mapping.validate(upstream, downstream)

    assert isinstance(hash(mapping), int)
