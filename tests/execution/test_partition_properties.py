"""Whatever partition is asked for, a run loads the upstream partitions of the same time: over clock changes and leap days too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import (
    AssetIn,
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    InputContext,
    IOManager,
    MonthlyPartitionsDefinition,
    MultiPartitionsDefinition,
    OutputContext,
    PartitionKeyRange,
    SourceAsset,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
    asset,
    materialize,
)

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/St_Johns"]
SPRING, AUTUMN = ("2024-02-15", "2024-04-15"), ("2024-09-25", "2024-11-15")  # the leap day is in spring
HOUR = timedelta(hours=1)


class Noting(IOManager):
    """Notes what it is asked to load and to store, and the windows of time that contexts tell."""

    def __init__(self) -> None:
        self.loaded: tuple[str, ...] = ()
        self.stored: tuple[str, ...] = ()
        self.windows: list[Any] = []

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        self.stored = tuple(context.partition_keys)
        self.windows.append(context.asset_partitions_time_window)

    def load_input(self, context: InputContext) -> Any:
        self.loaded = tuple(context.partition_keys)
        if self.loaded:
            self.windows.append(context.asset_partitions_time_window)
        return 1


def run(up: Any, down: Any, mapping: Any, **options: Any) -> Noting:
    @asset(partitions_def=down, ins={"up": AssetIn(partition_mapping=mapping)})
    def made(up: Any) -> int:
        return 1

    noting = Noting()
    materialize([SourceAsset("up", partitions_def=up), made], resources={"io_manager": noting}, **options)
    return noting


def moments(partitions_def: Any, key: str) -> tuple[float, float]:
    window = partitions_def.time_window_for_partition_key(key)
    return window.start.timestamp(), window.end.timestamp()


def overlapping(up: Any, start: float, end: float) -> tuple[str, ...]:
    """The upstream partitions whose time overlaps a stretch, by looking at every one of them."""
    windows = {key: moments(up, key) for key in up.get_partition_keys()}
    return tuple(key for key, (begins, ends) in windows.items() if begins < end and ends > start)


@st.composite
def seasons(draw: Any) -> tuple[TimeWindowPartitionsDefinition, TimeWindowPartitionsDefinition]:
    """Upstream and downstream windows in a zone around a change of its clock, the upstream ones from earlier until later."""
    zone, (start, end) = draw(st.sampled_from(ZONES)), draw(st.sampled_from([SPRING, AUTUMN]))
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    kinds = {
        "hour": lambda a, b: HourlyPartitionsDefinition(a, b, timezone=zone),
        "day": lambda a, b: DailyPartitionsDefinition(a, b, timezone=zone),
        "week": lambda a, b: WeeklyPartitionsDefinition(a, b, timezone=zone),
        "month": lambda a, b: MonthlyPartitionsDefinition(a, b, timezone=zone),
    }
    up, down = draw(st.sampled_from(["hour", "day", "week"])), draw(st.sampled_from(["day", "week"]))
    wide = timedelta(days=40)
    return kinds[up](first - wide, last + wide), kinds[down](first, last)


@given(seasons(), st.data(), st.integers(-2, 0), st.integers(-2, 0))
def test_the_partitions_of_the_same_time_are_loaded(definitions: Any, data: Any, start: int, end: int) -> None:
    up, down = definitions
    keys = down.get_partition_keys()
    place = data.draw(st.integers(2, len(keys) - 1))
    mapping = TimeWindowPartitionMapping(min(start, end), max(start, end))

    noting = run(up, down, mapping, partition_key=keys[place])

    begins = moments(down, keys[place + mapping.start_offset])[0]
    ends = moments(down, keys[place + mapping.end_offset])[1]
    assert noting.loaded == overlapping(up, begins, ends)
    assert noting.stored == (keys[place],)
    loaded, stored = noting.windows
    assert (stored.start.timestamp(), stored.end.timestamp()) == moments(down, keys[place])
    assert loaded.start.timestamp() <= begins < ends <= loaded.end.timestamp()


@given(seasons(), st.data())
def test_the_partitions_of_a_range_of_time_are_loaded(definitions: Any, data: Any) -> None:
    up, down = definitions
    keys = down.get_partition_keys()
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(keys) - 1)] * 2)))

    noting = run(up, down, None, partition_key_range=PartitionKeyRange(keys[first], keys[last]))

    begins, ends = moments(down, keys[first])[0], moments(down, keys[last])[1]
    assert noting.loaded == overlapping(up, begins, ends)
    assert noting.stored == tuple(keys[first : last + 1])
    assert (noting.windows[1].start.timestamp(), noting.windows[1].end.timestamp()) == (begins, ends)


@given(st.sampled_from(ZONES), st.sampled_from([SPRING, AUTUMN]), st.data())
def test_hours_of_a_day_are_all_there_are_and_follow_each_other(zone: str, season: tuple[str, str], data: Any) -> None:
    up = HourlyPartitionsDefinition(datetime.fromisoformat(season[0]), datetime.fromisoformat(season[1]), timezone=zone)
    down = DailyPartitionsDefinition(season[0], season[1], timezone=zone)
    day = data.draw(st.sampled_from(down.get_partition_keys()))

    noting = run(up, down, None, partition_key=day)

    windows = [moments(up, key) for key in noting.loaded]
    assert [end for _, end in windows[:-1]] == [start for start, _ in windows[1:]]
    assert windows[0][0] <= moments(down, day)[0] < moments(down, day)[1] <= windows[-1][1]
    assert {end - start for start, end in windows} <= {HOUR.total_seconds(), 1.5 * HOUR.total_seconds(), 1800.0}


@given(st.sampled_from(ZONES), st.sampled_from([SPRING, AUTUMN]), st.integers(1, 3), st.data())
def test_what_is_made_from_itself_is_made_from_what_came_before(
    zone: str, season: tuple[str, str], back: int, data: Any
) -> None:
    days = DailyPartitionsDefinition(season[0], season[1], timezone=zone)
    keys = days.get_partition_keys()
    place = data.draw(st.integers(0, len(keys) - 1))

    @asset(partitions_def=days, ins={"made": AssetIn(partition_mapping=TimeWindowPartitionMapping(-back, -1))})
    def made(made: Any) -> int:
        return 1

    noting = Noting()
    materialize([made], resources={"io_manager": noting}, partition_key=keys[place])

    assert noting.loaded == tuple(keys[max(0, place - back) : place])


@given(st.sampled_from(ZONES), st.sampled_from([SPRING, AUTUMN]), st.data())
def test_a_day_of_all_regions_is_one_of_each(zone: str, season: tuple[str, str], data: Any) -> None:
    days = DailyPartitionsDefinition(season[0], season[1], timezone=zone)
    regions = data.draw(st.lists(st.text("abcä 'é/", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
    both = MultiPartitionsDefinition({"day": days, "region": StaticPartitionsDefinition(regions)})
    day = data.draw(st.sampled_from(days.get_partition_keys()))

    noting = run(both, days, None, partition_key=day)

    assert noting.loaded == tuple(f"{day}|{region}" for region in regions)
    assert noting.windows[0] == noting.windows[1]


def test_the_leap_day_has_its_hours() -> None:
    hours = HourlyPartitionsDefinition("2024-02-01-00:00", "2024-04-01-00:00")
    days = DailyPartitionsDefinition("2024-02-28", "2024-03-02")

    noting = run(hours, days, None, partition_key="2024-02-29")

    assert (noting.loaded[0], len(noting.loaded)) == ("2024-02-29-00:00", 24)
    assert noting.windows[1].start == datetime(2024, 2, 29, tzinfo=UTC)
