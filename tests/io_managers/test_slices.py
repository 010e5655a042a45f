"""Which rows a partition is: as filters, and, by the type of its column, as a condition in SQL."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from io_managers.duckdb import DuckDBIOManager
from io_managers.slices import condition, partition_columns, partition_filters, wall_times
from warehouse_assets import (
    AssetKey,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
)
from warehouse_assets.errors import InvalidDefinitionError, SchemaChangedError, UnsupportedTypeError
from warehouse_assets.tables import ColumnRange, ColumnValues
from warehouse_assets.testing.io_manager import Partitions, load, store

KEY = AssetKey(["shop", "orders"])
DAYS = DailyPartitionsDefinition("2024-01-01")
REGIONS = StaticPartitionsDefinition(["eu", "us", "asia"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
NEW_YORK = "America/New_York"


def day(number):
    return dt.datetime(2024, 1, number, tzinfo=ZoneInfo("UTC"))


def filters(partitions_def, expr, *keys):
    return partition_filters(KEY, {"partition_expr": expr}, partitions_def, keys)


class TestFilters:
    def test_windows_that_follow_each_other_are_one_range(self):
        keys = ("2024-01-02", "2024-01-01", "2024-01-04")

        assert filters(DAYS, "at", *keys) == (
            (ColumnRange("at", day(1), day(3), ("2024-01-02", "2024-01-01")),),
            (ColumnRange("at", day(4), day(5), ("2024-01-04",)),),
        )

    def test_names_are_one_filter(self):
        assert filters(REGIONS, "region", "us", "eu", "us") == ((ColumnValues("region", ("us", "eu")),),)
        assert filters(DynamicPartitionsDefinition("names"), "name", "x") == ((ColumnValues("name", ("x",)),),)

    @pytest.mark.parametrize(("partitions_def", "expr"), [(DAYS, "at"), (REGIONS, "r"), (BOTH, {"day": "at", "region": "r"})])
    def test_no_partition_is_no_filter(self, partitions_def, expr):
        assert filters(partitions_def, expr) == ()

    def test_all_combinations_are_one_filter(self):
        keys = ("2024-01-01|eu", "2024-01-01|us", "2024-01-02|us", "2024-01-02|eu")

        assert filters(BOTH, {"day": "at", "region": "r"}, *keys) == (
            (ColumnRange("at", day(1), day(3), ("2024-01-01", "2024-01-02")), ColumnValues("r", ("eu", "us"))),
        )

    def test_other_combinations_are_a_filter_for_each_region(self):
        keys = ("2024-01-01|eu", "2024-01-02|eu", "2024-01-02|us")

        assert filters(BOTH, {"day": "at", "region": "r"}, *keys) == (
            (ColumnRange("at", day(1), day(3), ("2024-01-01", "2024-01-02")), ColumnValues("r", ("eu",))),
            (ColumnRange("at", day(2), day(3), ("2024-01-02",)), ColumnValues("r", ("us",))),
        )

    def test_a_year_of_days_is_one_filter(self):
        keys = DAYS.get_partition_keys(day(20))

        assert len(filters(DAYS, "at", *keys)) == 1


@pytest.mark.semantics(44)
class TestDeclaration:
    @pytest.mark.parametrize("expr", [None, "", 3, {"day": "at"}])
    def test_a_column_is_needed(self, expr):
        with pytest.raises(InvalidDefinitionError, match=r"'shop/orders' has partitions.*partition_expr.*metadata=\{\"part"):
            partition_columns(KEY, {"partition_expr": expr}, DAYS)

    @pytest.mark.parametrize(
        ("expr", "says"),
        [
            (None, "is missing"),
            ("at", "is 'at'"),
            ({"day": "at"}, "names no column for 'region'"),
            ({"day": "at", "region": ""}, "names no column for 'region'"),
            ({"day": "at", "region": "r", "regoin": "r"}, "names 'regoin', which is no dimension"),
        ],
    )
    def test_a_column_is_needed_for_each_dimension(self, expr, says):
        with pytest.raises(InvalidDefinitionError, match=says) as caught:
            partition_columns(KEY, {"partition_expr": expr}, BOTH)

        assert '{"day": "column", "region": "column"}' in str(caught.value)

    def test_the_manager_says_so_before_anything_runs(self):
        with pytest.raises(InvalidDefinitionError, match="partition_expr"):
            DuckDBIOManager().check_asset(KEY, {}, DAYS)

        DuckDBIOManager().check_asset(KEY, {}, None)
        DuckDBIOManager().check_asset(KEY, {"partition_expr": "day", "schema_policy": "sync"}, DAYS)


def selected(kind, values, filters):
    """Which of the values, written as SQL, the filters select in a column of this type."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = ", ".join(f"({number}, {value})" for number, value in enumerate(values))
        connection.execute(f'create table t as select n, v::{kind} as "at" from (values {rows}) as v(n, v)')
        holds = condition(filters, {"n": "INTEGER", "at": kind}, KEY)
        found = connection.execute(f"select n from t where {holds.sql} order by n", holds.parameters).fetchall()
    return [number for (number,) in found]


@pytest.mark.semantics(44)
class TestTypes:
    BERLIN = DailyPartitionsDefinition("2024-01-01", timezone="Europe/Berlin")

    def test_a_column_with_time_zone_is_compared_by_moments(self):
        values = [f"'2024-07-0{at}'" for at in ("1 21:59:59Z", "1 22:00:00Z", "2 21:59:59.999999Z", "2 22:00:00Z")]

        assert selected("TIMESTAMP WITH TIME ZONE", values, filters(self.BERLIN, "at", "2024-07-02")) == [1, 2]

    @pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"])
    def test_a_column_without_is_compared_by_the_clock(self, kind):
        values = [f"'2024-07-0{at}'" for at in ("1 23:59:59", "2 00:00:00", "2 23:59:59", "3 00:00:00")]

        assert selected(kind, values, filters(self.BERLIN, "at", "2024-07-02")) == [1, 2]

    @pytest.mark.parametrize(
        ("partitions_def", "key", "expected"),
        [
            (BERLIN, "2024-07-02", [1]),
            (MonthlyPartitionsDefinition("2024-01-01"), "2024-07-01", [0, 1, 2]),
            (HourlyPartitionsDefinition("2024-01-01-00:00"), "2024-07-02-00:00", [1]),
            (HourlyPartitionsDefinition("2024-01-01-00:00"), "2024-07-02-01:00", []),
            (StaticPartitionsDefinition(["2024-07-02", "2024-7-3"]), "2024-07-02", [1]),
            (StaticPartitionsDefinition(["2024-07-02", "2024-7-3"]), "2024-7-3", []),
        ],
        ids=str,
    )
    def test_dates(self, partitions_def, key, expected):
        values = ["'2024-07-01'", "'2024-07-02'", "'2024-07-03'"]

        assert selected("DATE", values, filters(partitions_def, "at", key)) == expected

    def test_text_is_the_key(self):
        values = ["'2024-07-02'", "'2024-07-02 00:00'", "'2024-07-03'", "null"]

        assert selected("VARCHAR", values, filters(DAYS, "at", "2024-07-02", "2024-07-03")) == [0, 2]
        assert selected("VARCHAR", values, filters(DAYS, "at", "2024-07-01", "2024-07-03")) == [2]

    def test_integers_are_the_key_as_text(self):
        years = StaticPartitionsDefinition(["7", "07", "seven", "2024"])
        compact = DailyPartitionsDefinition("20240101", fmt="%Y%m%d")

        assert selected("INTEGER", ["7", "2024", "null"], filters(years, "at", "2024", "seven")) == [1]
        assert selected("BIGINT", ["7", "2024"], filters(years, "at", "07", "seven")) == []
        assert selected("INTEGER", ["20240701", "20240702"], filters(compact, "at", "20240702")) == [1]

    @pytest.mark.parametrize(
        ("kind", "value", "key"),
        [
            ("BOOLEAN", "true", "true"),
            ("ENUM('a', 'b')", "'b'", "b"),
            ("DOUBLE", "1.5", "1.5"),
            ("TIME", "'07:00'", "07:00:00"),
        ],
    )
    def test_other_types_are_the_key_as_text(self, kind, value, key):
        definition = StaticPartitionsDefinition([key, "other"])

        assert selected(kind, [value], filters(definition, "at", key)) == [0]
        assert selected(kind, [value], filters(definition, "at", "other")) == []

    def test_a_missing_column_is_named(self):
        with pytest.raises(SchemaChangedError, match=r"no column 'att', which its partition_expr names\. Did you mean 'at'"):
            selected("DATE", ["'2024-01-01'"], filters(DAYS, "att", "2024-01-01"))


@pytest.mark.semantics(44)
class TestClockChanges:
    HOURS = HourlyPartitionsDefinition("2024-01-01-00:00", timezone=NEW_YORK)
    TWICE = ("2024-11-03-01:00", "2024-11-03-01:00-0500")

    @pytest.mark.parametrize("key", TWICE)
    def test_two_windows_that_a_clock_without_zone_does_not_tell_apart_are_an_error(self, key):
        with pytest.raises(UnsupportedTypeError, match=r"'shop/orders' divide the hour .* twice.*Store 'at' with a time zone"):
            selected("TIMESTAMP", ["'2024-11-03 01:30'"], filters(self.HOURS, "at", key))

    def test_both_together_are_told_from_others(self):
        values = [f"'2024-11-03 0{hour}'" for hour in ("0:59", "1:00", "1:59", "2:00")]

        assert selected("TIMESTAMP", values, filters(self.HOURS, "at", *self.TWICE)) == [1, 2]
        assert selected("TIMESTAMP", values, filters(self.HOURS, "at", "2024-11-03-00:00")) == [0]
        assert selected("TIMESTAMP", values, filters(self.HOURS, "at", "2024-11-03-02:00")) == [3]

    def test_a_column_with_time_zone_tells_them_apart(self):
        values = ["'2024-11-03 01:30-04'", "'2024-11-03 01:30-05'"]

        assert [selected("TIMESTAMP WITH TIME ZONE", values, filters(self.HOURS, "at", key)) for key in self.TWICE] == [
            [0],
            [1],
        ]

    @pytest.mark.parametrize("zone", [NEW_YORK, "America/Havana", "Asia/Beirut", "Europe/London", "Pacific/Apia"])
    def test_days_by_the_clock_follow_each_other_without_gap_or_overlap(self, zone):
        definition = DailyPartitionsDefinition("2011-01-01", "2012-01-02", timezone=zone)
        each = [
            wall_times(span, KEY) for key in definition.get_partition_keys() for ((span,),) in [filters(definition, "at", key)]
        ]

        assert [end for _, end in each[:-1]] == [start for start, _ in each[1:]]

    def test_partitions_of_two_zones_go_to_a_column_with_time_zone(self):
        manager = DuckDBIOManager()
        by_hour = Partitions(self.HOURS, "at")
        for number, key in enumerate(self.TWICE):
            moment = dt.datetime(2024, 11, 3, 5 + number, 30, tzinfo=dt.UTC)
            store(manager, pl.DataFrame({"at": [moment], "n": [number]}), partitions=by_hour(key))

        assert [load(manager, partitions=by_hour(key))["n"].to_list() for key in self.TWICE] == [[0], [1]]
