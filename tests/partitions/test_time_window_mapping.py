from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    PartitionsPair,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    TimeWindowPartitionsDefinition,
    UpstreamPartitions,
    WeeklyPartitionsDefinition,
)
from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError

DAYS = DailyPartitionsDefinition("2024-01-01", "2024-02-01")
HOURS = HourlyPartitionsDefinition("2024-01-01-00:00", "2024-02-01-00:00")

definitions = st.builds(
    TimeWindowPartitionsDefinition,
    st.dates(date(2024, 3, 20), date(2024, 4, 3)),
    st.just("%Y-%m-%d-%H:%M"),
    st.dates(date(2024, 4, 5), date(2024, 4, 12)),
    cron_schedule=st.sampled_from(["0 */8 * * *", "0 0 * * *", "30 2 * * *", "0 5 * * 0", "0 0 1 * *", "0 0 * * 1-5"]),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
mappings = st.tuples(st.integers(-3, 3), st.integers(0, 3)).map(
    lambda both: TimeWindowPartitionMapping(both[0], both[0] + both[1])
)


def moments(
    partitions: TimeWindowPartitionsDefinition, key: str, start_offset: int = 0, end_offset: int = 0
) -> tuple[int, int]:
    tick = partitions.tick(key)
    ticks = partitions.ticks
    return ticks.shift(tick, start_offset), ticks.shift(ticks.ceil(tick + 1), end_offset)


@pytest.mark.semantics(37)
@given(definitions, definitions, mappings)
def test_a_window_is_made_from_those_that_overlap_it_and_no_others(
    upstream: TimeWindowPartitionsDefinition, downstream: TimeWindowPartitionsDefinition, mapping: TimeWindowPartitionMapping
) -> None:
    pair = PartitionsPair(upstream, downstream)
    sources = {key: moments(upstream, key) for key in upstream.get_partition_keys()}
    made = {}

    for key in downstream.get_partition_keys():
        start, end = moments(downstream, key, mapping.start_offset, mapping.end_offset)
        made[key] = [source for source, (begin, stop) in sources.items() if begin < end and start < stop]
        found = mapping.get_upstream_keys([key], pair)

        assert list(found.keys) == made[key]
        assert all(moments(upstream, other)[0] < end and start < moments(upstream, other)[1] for other in found.nonexistent)
        assert {*found.nonexistent} & {*sources} == set()
    for source in sources:
        assert list(mapping.get_downstream_keys([source], pair)) == [key for key, of in made.items() if source in of]


@given(definitions, definitions, mappings, st.data())
def test_many_keys_are_mapped_as_each_of_them(
    upstream: TimeWindowPartitionsDefinition,
    downstream: TimeWindowPartitionsDefinition,
    mapping: TimeWindowPartitionMapping,
    data: st.DataObject,
) -> None:
    pair = PartitionsPair(upstream, downstream)
    keys = data.draw(
        st.lists(st.sampled_from(downstream.get_partition_keys() or ["-"]), unique=True).filter(lambda keys: "-" not in keys)
    )
    sources = data.draw(
        st.lists(st.sampled_from(upstream.get_partition_keys() or ["-"]), unique=True).filter(lambda keys: "-" not in keys)
    )

    together = mapping.get_upstream_keys(keys, pair)
    apart = [mapping.get_upstream_keys([key], pair) for key in keys]
    back = mapping.get_downstream_keys(sources, pair)

    assert mapping.get_upstream_keys_of_each(keys, pair) == dict(zip(keys, apart, strict=True))
    assert set(together.keys) == {key for each in apart for key in each.keys}
    assert set(together.nonexistent) == {key for each in apart for key in each.nonexistent}
    assert set(back) == {key for source in sources for key in mapping.get_downstream_keys([source], pair)}
    assert [len(set(found)) for found in (together.keys, back)] == [len(together.keys), len(back)]


@given(st.sampled_from(sorted(available_timezones())), st.dates(date(1975, 1, 1), date(2030, 1, 1)))
def test_a_day_is_made_from_its_hours_in_any_zone(zone: str, day: date) -> None:
    days = DailyPartitionsDefinition(day, timezone=zone)
    hours = HourlyPartitionsDefinition(day, timezone=zone)
    now = datetime(2031, 1, 1, tzinfo=UTC)
    first = days.get_first_partition_key(now)

    found = TimeWindowPartitionMapping().get_upstream_keys([str(first)], PartitionsPair(hours, days, now))

    start, end = moments(days, str(first))
    assert (set(found.keys), found.nonexistent) >= (set(hours.keys_between(start, end)), ())


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("downstream", "key", "first", "last", "count"),
    [
        (DAYS, "2024-01-02", "2024-01-02-00:00", "2024-01-02-23:00", 24),
        (WeeklyPartitionsDefinition("2024-01-01"), "2024-01-07", "2024-01-07-00:00", "2024-01-13-23:00", 168),
        (MonthlyPartitionsDefinition("2024-01-01"), "2024-01-01", "2024-01-01-00:00", "2024-01-31-23:00", 744),
        (HOURS, "2024-01-02-05:00", "2024-01-02-05:00", "2024-01-02-05:00", 1),
    ],
    ids=["day", "week", "month", "hour"],
)
def test_longer_windows_are_made_from_shorter_ones(
    downstream: TimeWindowPartitionsDefinition, key: str, first: str, last: str, count: int
) -> None:
    found = TimeWindowPartitionMapping().get_upstream_keys([key], PartitionsPair(HOURS, downstream))

    assert (found.keys[0], found.keys[-1], len(found.keys), found.nonexistent) == (first, last, count, ())


@pytest.mark.semantics(8, 37)
def test_a_table_may_depend_on_its_day_before() -> None:
    yesterday = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    pair = PartitionsPair(DAYS, DAYS)

    assert yesterday.looks_back
    assert yesterday.get_upstream_keys(["2024-01-02"], pair) == UpstreamPartitions(("2024-01-01",))
    assert yesterday.get_upstream_keys(["2024-01-01"], pair) == UpstreamPartitions((), ("2023-12-31",))
    assert yesterday.get_downstream_keys(["2024-01-02"], pair) == ("2024-01-03",)


@pytest.mark.parametrize(
    ("start", "end", "looks_back"), [(0, 0, False), (-1, 0, False), (-1, -1, True), (-7, -1, True), (1, 1, False)]
)
def test_only_offsets_into_the_past_look_back(start: int, end: int, looks_back: bool) -> None:
    assert TimeWindowPartitionMapping(start, end).looks_back == looks_back


@pytest.mark.parametrize(("allowed", "nonexistent"), [(False, ("2023-12-30", "2023-12-31")), (True, ())])
def test_upstream_windows_that_do_not_exist_are_reported_unless_allowed(allowed: bool, nonexistent: tuple[str, ...]) -> None:
    mapping = TimeWindowPartitionMapping(-3, 0, allow_nonexistent_upstream_partitions=allowed)

    found = mapping.get_upstream_keys(["2024-01-02"], PartitionsPair(DAYS, DAYS))

    assert found == UpstreamPartitions(("2024-01-01", "2024-01-02"), nonexistent)


def test_windows_that_have_not_come_are_reported() -> None:
    pair = PartitionsPair(HOURS, DAYS, current_time=datetime(2024, 1, 2, 22, tzinfo=UTC))

    found = TimeWindowPartitionMapping().get_upstream_keys(["2024-01-02"], pair)

    assert (len(found.keys), found.nonexistent) == (22, ("2024-01-02-22:00", "2024-01-02-23:00"))


def test_offsets_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(
        InvalidDefinitionError, match="the start_offset of a time-window partition mapping is 0, after its end_offset -1"
    ):
        TimeWindowPartitionMapping(end_offset=-1)


@pytest.mark.parametrize(
    ("upstream", "downstream", "message"),
    [
        (DAYS, None, "needs downstream partitions that are time windows, not none"),
        (StaticPartitionsDefinition(["a"]), DAYS, "needs upstream partitions that are time windows, not static partitions 'a'"),
    ],
)
def test_it_stands_between_windows_only(
    upstream: TimeWindowPartitionsDefinition, downstream: TimeWindowPartitionsDefinition | None, message: str
) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        TimeWindowPartitionMapping().validate(upstream, downstream)


def test_a_key_of_no_window_is_refused() -> None:
    with pytest.raises(PartitionNotFoundError, match=r"no window of daily partitions .* has the key '2024-01-32'"):
        TimeWindowPartitionMapping().get_upstream_keys(["2024-01-01", "2024-01-32"], PartitionsPair(HOURS, DAYS))
