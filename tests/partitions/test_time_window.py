from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warehouse_assets import PartitionKeyRange, ScheduleType, TimeWindow, TimeWindowPartitionsDefinition
from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError

SCHEDULES = ["0 * * * *", "30 * * * *", "0 0 * * *", "30 2 * * *", "59 23 * * *", "15 1 * * 3", "0 0 1 * *", "45 23 28 * *"]
MINUTES = "%Y-%m-%d-%H:%M"
DAYS = "%Y-%m-%d"

zones = st.sampled_from(sorted(available_timezones()))


def windows_of(schedule: str, zone: str, start: datetime, days: int, fmt: str = MINUTES) -> TimeWindowPartitionsDefinition:
    return TimeWindowPartitionsDefinition(start, fmt, start + timedelta(days=days), cron_schedule=schedule, timezone=zone)


definitions = st.builds(
    windows_of,
    st.sampled_from(SCHEDULES),
    zones,
    st.datetimes(datetime.fromisoformat("1905-01-01"), datetime.fromisoformat("2024-01-01")),
    st.integers(2, 9),
)
daily = st.builds(
    windows_of,
    st.builds("{} {} * * *".format, st.integers(0, 59), st.integers(0, 23)),
    zones,
    st.datetimes(datetime.fromisoformat("1905-01-01"), datetime.fromisoformat("2024-01-01")),
    st.integers(2, 9),
    st.just(DAYS),
)


@pytest.mark.semantics(37)
@given(definitions)
@example(windows_of("0 * * * *", "America/St_Johns", datetime.fromisoformat("2006-10-28"), 3))
@example(windows_of("0 0 * * *", "Pacific/Apia", datetime.fromisoformat("2011-12-28"), 5))
def test_windows_follow_each_other_without_gap_or_overlap(partitions: TimeWindowPartitionsDefinition) -> None:
    windows = [partitions.time_window_for_partition_key(key) for key in partitions.get_partition_keys()]

    assert [before.end for before, _ in pairwise(windows)] == [after.start for _, after in pairwise(windows)]
    assert all(window.duration > timedelta(0) for window in windows)
    assert all(partitions.start.timestamp() <= window.start.timestamp() for window in windows)
    assert all(partitions.end is None or window.end.timestamp() <= partitions.end.timestamp() for window in windows)


@pytest.mark.semantics(37)
@given(definitions | daily, st.floats(0, 0.999))
@example(windows_of("59 23 * * *", "Africa/Algiers", datetime.fromisoformat("1916-06-12"), 6, DAYS), 0.5)
@example(windows_of("0 5 * * *", "Pacific/Apia", datetime.fromisoformat("2011-12-28"), 5, DAYS), 0.5)
@example(windows_of("30 * * * *", "America/St_Johns", datetime.fromisoformat("2006-10-28"), 3, "%Y-%m-%d-%H"), 0.5)
def test_a_key_leads_to_its_window_and_back(partitions: TimeWindowPartitionsDefinition, part: float) -> None:
    keys = partitions.get_partition_keys()
    windows = [partitions.time_window_for_partition_key(key) for key in keys]
    within = [window.start.timestamp() + part * window.duration.total_seconds() for window in windows]

    assert tuple(partitions.get_partition_key_for_timestamp(moment) for moment in within) == keys
    assert (len(set(keys)), len(set(windows))) == (len(keys), len(keys))
    assert all(partitions.has_partition_key(key) for key in keys)


@pytest.mark.semantics(37)
@given(definitions | daily, st.data())
def test_a_range_is_a_slice_of_the_keys(partitions: TimeWindowPartitionsDefinition, data: st.DataObject) -> None:
    keys = partitions.get_partition_keys()
    if keys:
        low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(keys) - 1)] * 2)))
        found = partitions.get_partition_keys_in_range(PartitionKeyRange(keys[low], keys[high]))
        window = TimeWindow(*(partitions.time_window_for_partition_key(keys[at]).start for at in (low, high)))

        assert found == keys[low : high + 1]
        assert partitions.get_partition_keys_in_time_window(window) == keys[low:high]
        assert partitions.spans(keys[low : high + 1]) == partitions.spans(tuple(reversed(found)))


@pytest.mark.semantics(37)
@given(definitions | daily)
def test_what_is_asked_of_keys_is_answered_without_them(partitions: TimeWindowPartitionsDefinition) -> None:
    keys = partitions.get_partition_keys()
    ends = (keys[0], keys[-1]) if keys else (None, None)

    assert (partitions.get_first_partition_key(), partitions.get_last_partition_key()) == ends
    assert partitions.get_num_partitions() == len(keys)
    assert [partitions.get_next_partition_key(key) for key in keys] == [*keys[1:], None][: len(keys)]
    assert [partitions.get_prev_partition_key(key) for key in keys] == [None, *keys[:-1]][: len(keys)]


@given(definitions | daily, st.integers(0, 5), st.integers(0, 5))
def test_partitions_come_with_time_and_stay(partitions: TimeWindowPartitionsDefinition, days: int, more: int) -> None:
    now = partitions.start + timedelta(days=days)
    before = partitions.get_partition_keys(now)
    after = partitions.get_partition_keys(now + timedelta(days=more))

    assert after[: len(before)] == before
    assert all(partitions.time_window_for_partition_key(key).end <= now for key in before)


@pytest.mark.parametrize(
    ("end_offset", "end", "expected"),
    [
        (0, None, ["01", "02"]),
        (1, None, ["01", "02", "03"]),
        (3, None, ["01", "02", "03", "04", "05"]),
        (3, "2024-02-04", ["01", "02", "03"]),
        (-1, None, ["01"]),
        (-5, None, []),
        (0, "2024-02-02", ["01"]),
        (-1, "2024-02-02", ["01"]),
        (0, "2024-02-01", []),
    ],
)
def test_the_last_partition_follows_from_now_the_end_and_the_offset(
    end_offset: int, end: str | None, expected: list[str]
) -> None:
    partitions = TimeWindowPartitionsDefinition(
        "2024-02-01", DAYS, end, schedule_type=ScheduleType.DAILY, end_offset=end_offset, timezone="Asia/Tokyo"
    )
    now = datetime(2024, 2, 3, 23, 59, tzinfo=ZoneInfo("Asia/Tokyo"))

    assert partitions.get_partition_keys(now) == tuple(f"2024-02-{day}" for day in expected)
    assert partitions.get_num_partitions(now) == len(expected)


def test_nothing_exists_before_the_first_window_ends() -> None:
    partitions = TimeWindowPartitionsDefinition("2024-02-01", DAYS, schedule_type=ScheduleType.DAILY)
    now = datetime(2024, 2, 1, 23, tzinfo=UTC)

    assert (partitions.get_partition_keys(now), partitions.get_num_partitions(now)) == ((), 0)
    assert (partitions.get_first_partition_key(now), partitions.get_last_partition_key(now)) == (None, None)
    with pytest.raises(PartitionNotFoundError, match="There is none yet"):
        partitions.validate_partition_key("2024-02-01", now)


@pytest.mark.parametrize(
    "start",
    [
        "2024-02-01",
        "2024-02-01T00:00",
        date(2024, 2, 1),
        datetime.fromisoformat("2024-02-01"),
        datetime(2024, 1, 31, 23, tzinfo=UTC),
    ],
    ids=repr,
)
def test_a_start_is_given_in_many_forms(start: Any) -> None:
    partitions = TimeWindowPartitionsDefinition(start, DAYS, schedule_type=ScheduleType.DAILY, timezone="Europe/Paris")

    assert partitions == TimeWindowPartitionsDefinition("2024-02-01", DAYS, cron_schedule="0 0 * * *", timezone="Europe/Paris")
    assert partitions.start.isoformat() == "2024-02-01T00:00:00+01:00"


@pytest.mark.parametrize(
    ("fmt", "schedule", "key"),
    [
        ("%Y-%m", "30 4 15 * *", "2024-02"),
        ("%Y", "0 0 1 1 *", "2025"),
        ("%d.%m.%Y", "0 0 * * *", "01.02.2024"),
        ("%Y%m%d", "0 6 * * 1-5", "20240201"),
        ("%G-W%V-%u", "0 0 * * 1", "2024-W06-1"),
        ("%Y-%m-%dT%H:%M%z", "0 * * * *", "2024-02-01T00:00+0100"),
    ],
)
def test_a_format_need_only_tell_windows_apart(fmt: str, schedule: str, key: str) -> None:
    partitions = TimeWindowPartitionsDefinition(
        datetime.fromisoformat("2024-02-01"),
        fmt,
        datetime.fromisoformat("2026-02-01"),
        cron_schedule=schedule,
        timezone="Europe/Paris",
    )

    assert partitions.get_first_partition_key() == key
    assert partitions.has_partition_key(key)


@pytest.mark.parametrize(
    ("fmt", "schedule"),
    [
        ("%Y-%m-%d", "0 * * * *"),
        ("%m-%d", "0 0 * * *"),
        ("%Y-%m", "0 0 * * 0"),
        ("day", "0 0 * * *"),
        ("", "0 0 * * *"),
        ("%Y-%Y", "0 0 * * *"),
    ],
)
def test_a_format_that_cannot_tell_windows_apart_is_refused(fmt: str, schedule: str) -> None:
    with pytest.raises(InvalidDefinitionError, match="from which the window cannot be told"):
        TimeWindowPartitionsDefinition(datetime.fromisoformat("2024-02-01"), fmt, cron_schedule=schedule)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("yesterday", None, "the start of time-window partitions is 'yesterday'. Give a text of the form '%Y-%m-%d'"),
        ("2024-01-01", 20240101, "the end of time-window partitions is 20240101"),
        ("2024-01-01", "2023-01-01", "end before they start"),
    ],
)
def test_boundaries_that_are_none_are_refused(start: Any, end: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        TimeWindowPartitionsDefinition(start, DAYS, end, schedule_type=ScheduleType.DAILY)


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("2024-02-30", "Keys look like '2024-01-07'."),
        ("eu", "Keys look like '2024-01-07'."),
        ("", "Keys look like '2024-01-07'."),
        ("2024-01-10", "Did you mean '2024-01-07'?"),
        ("2024-1-7", "Did you mean '2024-01-07'?"),
        ("2023-12-31", "There are those from '2024-01-07' to '2024-01-21'."),
        ("2024-03-31", "There are those from '2024-01-07' to '2024-01-21'."),
    ],
)
def test_a_partition_that_does_not_exist_is_refused_with_what_may_be_meant(key: str, hint: str) -> None:
    partitions = TimeWindowPartitionsDefinition("2024-01-01", DAYS, "2024-01-31", schedule_type=ScheduleType.WEEKLY)

    with pytest.raises(PartitionNotFoundError) as caught:
        partitions.validate_partition_key(key)

    assert (partitions.has_partition_key(key), caught.value.hint) == (False, hint)
    assert caught.value.message == f"there is no partition {key!r} in partitions by '0 0 * * 0' from '2024-01-07' (UTC)"


def test_a_window_need_not_have_come() -> None:
    partitions = TimeWindowPartitionsDefinition("2024-01-01", DAYS, "2024-01-31", schedule_type=ScheduleType.DAILY)

    assert partitions.time_window_for_partition_key("2999-12-30").end == datetime(2999, 12, 31, tzinfo=UTC)
    with pytest.raises(PartitionNotFoundError, match=r"no window of .* has the key 'today'\. Keys look like '2024-01-01'"):
        partitions.time_window_for_partition_key("today")


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    partitions = TimeWindowPartitionsDefinition("2024-01-01", DAYS, "2024-01-31", schedule_type=ScheduleType.DAILY)

    with pytest.raises(PartitionNotFoundError, match="ends before it starts"):
        partitions.get_partition_keys_in_range(PartitionKeyRange("2024-01-03", "2024-01-02"))


@pytest.mark.parametrize(
    ("schedule", "changes", "expected"),
    [
        ("15 * * * *", {}, "15 * * * *"),
        ("15 * * * *", {"minute_of_hour": 20}, "20 * * * *"),
        ("0 0 * * *", {"minute_of_hour": 20, "hour_of_day": 4}, "20 4 * * *"),
        ("0 0 * * 0", {"day_of_week": 2}, "0 0 * * 2"),
        ("0 0 1 * *", {"day_of_month": 5}, "0 0 5 * *"),
    ],
)
def test_a_schedule_can_fire_at_another_time_than_windows_end(schedule: str, changes: dict[str, int], expected: str) -> None:
    partitions = TimeWindowPartitionsDefinition("2024-01-01", "%Y-%m-%d %H:%M", cron_schedule=schedule)

    assert partitions.get_cron_schedule(**changes) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"day_of_week": 2}, "do not fire at one day_of_week"), ({"hour_of_day": 25}, "cannot be used")],
)
def test_a_schedule_that_windows_do_not_have_is_refused(changes: dict[str, int], message: str) -> None:
    partitions = TimeWindowPartitionsDefinition("2024-01-01", DAYS, schedule_type=ScheduleType.DAILY)

    with pytest.raises(InvalidDefinitionError, match=message):
        partitions.get_cron_schedule(**changes)


def test_a_window_that_begins_where_the_clock_jumps_over_midnight_keeps_its_date() -> None:
    partitions = windows_of("59 23 * * *", "Africa/Algiers", datetime.fromisoformat("1916-06-13"), 3, DAYS)

    starts = {key: partitions.time_window_for_partition_key(key).start for key in partitions.get_partition_keys()}

    assert {key: f"{start:%d %H:%M}" for key, start in starts.items()} == {"1916-06-13": "13 23:59", "1916-06-14": "15 00:00"}


def test_definitions_are_values() -> None:
    one, same, other = (
        TimeWindowPartitionsDefinition("2024-01-01", DAYS, cron_schedule="0 0 * * *", timezone=zone)
        for zone in ("Europe/Berlin", "Europe/Berlin", "Europe/Rome")
    )
    one.get_partition_keys()

    assert (one == same, hash(one) == hash(same), one == other) == (True, True, False)
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_hundred_thousand_partitions_are_at_hand() -> None:
    partitions = TimeWindowPartitionsDefinition("2012-01-01", MINUTES, "2024-01-01", cron_schedule="0 * * * *")

    keys = partitions.get_partition_keys()

    assert (len(keys), keys[0], keys[-1]) == (105_192, "2012-01-01-00:00", "2023-12-31-23:00")
    assert (partitions.get_num_partitions(), partitions.spans(keys)) == (105_192, [(partitions.first, partitions.stop())])
