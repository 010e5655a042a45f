"""Tables, cards and the progress of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from warehouse_assets.html.drawing import text

__all__ = ["card", "note", "progress", "table"]

LINE = "1px solid rgba(128,128,128,.35)"
FONT = "font:13px system-ui,sans-serif"
CELL = "padding:3px 12px 3px 0;vertical-align:top;background:none;border:0"
COLOURS = {"success": "#22a06b", "failure": "#e5484d", "skipped": "#c98a12", "running": "#3b82f6"}


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numeric: Collection[str] = ()) -> str:
    """Rows under a head; `numeric` columns stand on the right, and a cell that is a status has its colour."""
    sides = ["right" if column in numeric else "left" for column in columns]
    head = "".join(
        f'<th style="{CELL};text-align:{side};border-bottom:{LINE};font-weight:600">{text(column)}</th>'
        for column, side in zip(columns, sides, strict=True)
    )
    body = "".join(f"<tr>{''.join(_cell(value, side) for value, side in zip(row, sides, strict=True))}</tr>" for row in rows)
    return (
        f'<div style="overflow-x:auto"><table style="{FONT};border-collapse:collapse;border:0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any, side: str) -> str:
    colour = f";color:{COLOURS[value]};font-weight:600" if isinstance(value, str) and value in COLOURS else ""
    return f'<td style="{CELL};text-align:{side}{colour};white-space:pre-wrap;max-width:60em">{text(value)}</td>'


def card(title: str, facts: Mapping[str, Any], description: str | None = None) -> str:
    """A few facts under a title; those that are empty are left out."""
    rows = "".join(
        f'<tr><td style="{CELL};text-align:left;opacity:.7">{text(name)}</td>{_cell(value, "left")}</tr>'
        for name, value in facts.items()
        if value not in (None, "", ())
    )
    said = f'<div style="margin-bottom:4px;white-space:pre-line">{text(description)}</div>' if description else ""
    return (
        f'<div style="{FONT};border:{LINE};border-radius:6px;padding:8px 14px;display:inline-block;max-width:56em">'
        f'<div style="font-weight:600;margin-bottom:4px">{text(title)}</div>{said}'
        f'<table style="{FONT};border-collapse:collapse;border:0"><tbody>{rows}</tbody></table></div>'
    )


def note(words: str) -> str:
    """A line of small text; nothing for none."""
    return f'<div style="{FONT};font-size:12px;opacity:.75;padding:4px 0">{text(words)}</div>' if words else ""


def progress(total: int, counts: Mapping[str, int], words: str) -> str:
    """A bar with a part for each status of `counts`, and words under it."""
    parts = "".join(
        f'<div style="width:{100 * counts.get(status, 0) / max(total, 1):g}%;background:{colour}"></div>'
        for status, colour in COLOURS.items()
        if counts.get(status)
    )
    return (
        f'<div style="max-width:40em"><div style="display:flex;height:6px;border-radius:3px;overflow:hidden;'
        f'background:rgba(128,128,128,.25)">{parts}</div>{note(words)}</div>'
    )
