"""Cron schedules in words."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["cron_text"]

_DAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
_STEP = re.compile(r"\*/(\d+)")


def cron_text(crons: Iterable[str]) -> str:
    """What people would say; the schedule itself where it is too odd for that.

    >>> cron_text(["0 3 * * *"]), cron_text(["*/5 * * * *"]), cron_text(["15 * * * *"])
    ('daily at 03:00', 'every 5 min', 'hourly at :15')
    >>> cron_text(["30 6 * * 1-5", "0 9 * * 6,0"]), cron_text(["0 0 1 * *"]), cron_text(["0 0 29 2 *"])
    ('on weekdays at 06:30, on Saturdays and Sundays at 09:00', 'monthly on day 1 at 00:00', '0 0 29 2 *')
    """
    return ", ".join(map(_said, crons))


def _said(cron: str) -> str:
    fields = _NAMED.get(cron.strip().lower(), cron).split()
    if len(fields) != 5 or fields[3] != "*":
        return cron
    minute, hour, day, _, weekday = fields
    at = _time(minute, hour)
    if at is None or (day != "*" and weekday != "*"):
        return cron
    if not at.startswith("at "):
        return at if (day, weekday) == ("*", "*") else cron
    if day != "*":
        return f"monthly on day {day} {at}" if day.isdigit() else cron
    if weekday == "*":
        return f"daily {at}"
    days = _days(weekday)
    return f"on {days} {at}" if days else cron


def _time(minute: str, hour: str) -> str | None:
    """`at 03:00` for a time of a day, `hourly` or `every 5 min` for more than one."""
    if minute.isdigit() and hour.isdigit():
        return f"at {int(hour):02}:{int(minute):02}"
    if minute.isdigit() and hour == "*":
        return f"hourly at :{int(minute):02}"
    if minute.isdigit() and (step := _STEP.fullmatch(hour)):
        return f"every {step[1]} h at :{int(minute):02}"
    if hour == "*" and (minute == "*" or (step := _STEP.fullmatch(minute))):
        return "every minute" if minute == "*" else f"every {step[1]} min" if step else None
    return None


def _days(weekday: str) -> str | None:
    if weekday == "1-5":
        return "weekdays"
    parts = weekday.split(",")
    if not all(part.isdigit() and int(part) < len(_DAYS) for part in parts):
        return None
    return " and ".join(_DAYS[int(part)] for part in parts)
