"""The promises of managers whose SQL names the partitions that it makes."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.io_manager import IOManager
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.periodic import DailyPartitionsDefinition, HourlyPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.use import KEY, Partitions, load, source, store

__all__ = ["PartitionValuesContract"]

_BY_DAY = Partitions(DailyPartitionsDefinition("2024-01-01"), "day")
_BY_HOUR = Partitions(HourlyPartitionsDefinition("2024-01-01-00:00", timezone="Europe/Berlin"), "seen")
_KEYS = ["eu", "o'clock; drop table t", "$partition_key", 'a"b']
_BY_NAME = Partitions(StaticPartitionsDefinition(_KEYS), "name")
_BOTH = Partitions(
    MultiPartitionsDefinition({"on": _BY_DAY.definition, "name": _BY_NAME.definition}), {"on": "day", "name": "name"}
)

_MADE = AssetKey("made")
_DAYS = [f"2024-01-0{number}" for number in range(1, 5)]


class PartitionValuesContract(Contract):
    """`$partition_start`, `$partition_end` and `$partition_key` are bound to what a run writes."""

    @pytest.mark.parametrize("keys", [_DAYS[1:2], _DAYS[1:3]], ids=["one", "range"])
    def test_sql_reads_what_is_in_the_days_that_it_makes(self, manager: IOManager, keys: list[str]) -> None:
        store(manager, pl.DataFrame({"day": map(dt.date.fromisoformat, _DAYS), "n": [1, 2, 3, 4]}))
        sql = SQL("select * from shop.orders where day >= $partition_start and day < $partition_end -- $partition_key")
        store(manager, sql, _MADE, sources={KEY: source(manager, KEY)}, partitions=_BY_DAY(*keys))

        assert load(manager, key=_MADE)["day"].to_list() == [dt.date.fromisoformat(key) for key in keys]

    def test_sql_reads_what_is_in_the_hours_that_the_clock_shows(self, manager: IOManager) -> None:
        hours = [dt.datetime(2024, 7, 1, hour) for hour in range(4)]  # noqa: DTZ001
        store(manager, pl.DataFrame({"seen": hours, "n": [1, 2, 3, 4]}))
        sql = SQL("select * from shop.orders where seen >= $partition_start and seen < $partition_end")
        given = {KEY: source(manager, KEY)}
        store(manager, sql, _MADE, sources=given, partitions=_BY_HOUR("2024-07-01-01:00", "2024-07-01-02:00"))

        assert load(manager, key=_MADE)["seen"].to_list() == hours[1:3]

    def test_sql_reads_what_has_the_key_that_it_makes(self, manager: IOManager) -> None:
        store(manager, pl.DataFrame({"name": _KEYS, "n": [1, 2, 3, 4]}))
        for key in _KEYS:
            sql = SQL("select name, n from shop.orders where name = $partition_key")
            store(manager, sql, _MADE, sources={KEY: source(manager, KEY)}, partitions=_BY_NAME(key))

        assert sorted(load(manager, key=_MADE)["n"]) == [1, 2, 3, 4]

    def test_sql_names_the_dimensions_of_what_it_makes(self, manager: IOManager) -> None:
        rows = [(dt.date.fromisoformat(day), name) for day in _DAYS for name in _KEYS]
        store(manager, pl.DataFrame(rows, schema=["day", "name"], orient="row"))
        sql = SQL(
            "select * from shop.orders where name = $partition_key_name and day >= $partition_start and day < $partition_end"
        )
        keys = _BOTH(f"{_KEYS[1]}|{_DAYS[2]}", f"{_KEYS[1]}|{_DAYS[3]}")
        store(manager, sql, _MADE, sources={KEY: source(manager, KEY)}, partitions=keys)

        assert sorted(load(manager, key=_MADE).rows()) == [(dt.date(2024, 1, 3), _KEYS[1]), (dt.date(2024, 1, 4), _KEYS[1])]

    def test_a_value_that_is_given_comes_before_that_of_the_partition(self, manager: IOManager) -> None:
        store(manager, pl.DataFrame({"name": ["eu", "eu"], "n": [1, 2]}))
        inner = SQL("select * from shop.orders where n = $partition_key and n = {partition_key}", partition_key=2)
        sql = SQL("select q.* from {inner} as q where name = $partition_key", inner=inner)
        store(manager, sql, _MADE, sources={KEY: source(manager, KEY)}, partitions=_BY_NAME("eu"))

        assert load(manager, key=_MADE)["n"].to_list() == [2]

    @pytest.mark.parametrize(
        ("sql", "partitions", "message"),
        [
            ("select 1 as n where 1 < $partition_start", None, "uses [$]partition_start, and the asset has no partitions"),
            (
                "select $partition_start as n",
                _BY_NAME("eu"),
                "uses [$]partition_start, which static partitions .* does not have",
            ),
            ("select $partition_strat as n", _BY_DAY(_DAYS[0]), "Did you mean 'partition_start'"),
            ("select $partition_key as name", _BY_NAME("eu", 'a"b'), "has 2 partitions here, not one"),
            ("select $partition_start as day", _BY_DAY(_DAYS[0], _DAYS[2]), "do not follow each other"),
        ],
        ids=["unpartitioned", "no time", "misspelt", "two keys", "gap"],
    )
    def test_a_value_that_there_is_not_is_an_error(
        self, manager: IOManager, sql: str, partitions: Partitions | None, message: str
    ) -> None:
        with pytest.raises(InvalidSQLError, match=message):
            store(manager, SQL(sql), _MADE, partitions=partitions)
