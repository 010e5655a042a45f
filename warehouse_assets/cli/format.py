"""Numbers, sizes and times as people read them, and the console they are written to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from warehouse_assets.quantities import byte_text, count_text, seconds_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["ago", "byte_text", "console", "count_text", "new_table", "seconds_text"]


def ago(timestamp: float, now: float | None = None) -> str:
    """How long ago a moment was, in its two largest units.

    >>> ago(0, now=3700)
    '1 h 1 min ago'
    """
    seconds = max(0, int((time.time() if now is None else now) - timestamp))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{value} {unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if value]
    return f"{' '.join(parts[:2]) or '0 s'} ago"


def console(*, stderr: bool = False) -> Console:
    """The console: colours only on terminals and with FORCE_COLOR, and none with NO_COLOR. A pipe gets lines of any length."""
    from rich.console import Console

    options: dict[str, Any] = {"stderr": stderr, "highlight": False, "markup": False, "emoji": False}
    made = Console(**options)
    if made.file.isatty():
        return made
    if made.is_terminal:  # so FORCE_COLOR says; but nothing there moves a cursor
        return Console(**options, width=10_000, force_interactive=False)
    return Console(**options, width=10_000, no_color=True)


def new_table(*columns: str, numeric: tuple[str, ...] = ()) -> Table:
    """An empty table with a line under its head; `numeric` columns stand on the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    return table
