"""Counts, sizes and durations as people read them."""

from __future__ import annotations

from typing import Any

__all__ = ["byte_text", "count_text", "seconds_text"]


def count_text(value: Any) -> str:
    """A count with its thousands apart; nothing for None.

    >>> count_text(336776)
    '336,776'
    """
    return f"{value:,}" if isinstance(value, (int, float)) else ""


def byte_text(value: Any) -> str:
    """Bytes with a decimal unit; nothing for None.

    >>> byte_text(11_800_000)
    '11.8 MB'
    """
    if not isinstance(value, (int, float)):
        return ""
    size = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}" if size < 99.95 else f"{size:.0f} {unit}"
        size /= 1000
    return ""


def seconds_text(seconds: float) -> str:
    """A duration: milliseconds below a second, minutes above one.

    >>> seconds_text(0.042), seconds_text(4.2), seconds_text(75)
    ('42 ms', '4.2 s', '1 min 15 s')
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
