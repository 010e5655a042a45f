"""The plain time-window partitions: hourly, daily, weekly and monthly ones."""

from __future__ import annotations

from datetime import date, datetime

from warehouse_assets.partitions.cron import ScheduleType
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition

__all__ = [
    "DailyPartitionsDefinition",
    "HourlyPartitionsDefinition",
    "MonthlyPartitionsDefinition",
    "WeeklyPartitionsDefinition",
]

_DATE = "%Y-%m-%d"
_HOUR = "%Y-%m-%d-%H:%M"


class HourlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each hour, which begins `minute_offset` minutes past it.

    >>> HourlyPartitionsDefinition("2024-11-03-00:00", "2024-11-03-03:00", timezone="America/New_York").get_partition_keys()
    ('2024-11-03-00:00', '2024-11-03-01:00', '2024-11-03-01:00-0500', '2024-11-03-02:00')
    """

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
    ) -> None:
        super().__init__(
            start_date,
            fmt or _HOUR,
            end_date,
            schedule_type=ScheduleType.HOURLY,
            timezone=timezone,
            end_offset=end_offset,
            minute_offset=minute_offset,
        )


class DailyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each day, which begins `hour_offset` hours and `minute_offset` minutes after midnight.

    >>> DailyPartitionsDefinition("2024-02-28", "2024-03-02").get_partition_keys()
    ('2024-02-28', '2024-02-29', '2024-03-01')
    """

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
    ) -> None:
        super().__init__(
            start_date,
            fmt or _DATE,
            end_date,
            schedule_type=ScheduleType.DAILY,
            timezone=timezone,
            end_offset=end_offset,
            minute_offset=minute_offset,
            hour_offset=hour_offset,
        )


class WeeklyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each week, which begins on the day `day_offset` (0 is Sunday), at an hour and a minute.

    >>> WeeklyPartitionsDefinition("2024-01-01", "2024-01-22", day_offset=1).get_partition_keys()
    ('2024-01-01', '2024-01-08', '2024-01-15')
    """

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
    ) -> None:
        super().__init__(
            start_date,
            fmt or _DATE,
            end_date,
            schedule_type=ScheduleType.WEEKLY,
            timezone=timezone,
            end_offset=end_offset,
            minute_offset=minute_offset,
            hour_offset=hour_offset,
            day_offset=day_offset,
        )


class MonthlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each month, which begins on its day `day_offset`, at an hour and a minute.

    Of a day after the 28th, a window begins in those months only that have it.

    >>> MonthlyPartitionsDefinition("2024-01-01", "2024-04-01", fmt="%Y-%m").get_partition_keys()
    ('2024-01', '2024-02', '2024-03')
    """

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 1,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
    ) -> None:
        super().__init__(
            start_date,
            fmt or _DATE,
            end_date,
            schedule_type=ScheduleType.MONTHLY,
            timezone=timezone,
            end_offset=end_offset,
            minute_offset=minute_offset,
            hour_offset=hour_offset,
            day_offset=day_offset,
        )
