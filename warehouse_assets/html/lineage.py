"""The lineage as an inline drawing: boxes from left to right, coloured by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from warehouse_assets.html.drawing import text
from warehouse_assets.html.layout import layered
from warehouse_assets.html.tables import note, table

__all__ = ["MOST_BOXES", "Box", "lineage"]

MOST_BOXES = 60  # more are a thicket
HEIGHT, GAP_X, GAP_Y, MARGIN = 30, 44, 12, 8
LONGEST_LABEL, SIGN_WIDTH = 34, 7.2
COLOURS = ("#3b82f6", "#22a06b", "#e08a1e", "#a259d9", "#dc4a7c", "#0ea5b7", "#98881c", "#c2553c")  # on light and dark
SOURCE_COLOUR = "#8a94a3"
FONT = "font:13px system-ui,sans-serif"


@dataclass(frozen=True, slots=True)
class Box:
    """One box of a lineage: its `name`, those it is made from, its group, and what is said of it when it is pointed at."""

    name: str
    parents: Sequence[str] = ()
    group: str = ""
    is_source: bool = False
    title: str = ""


def lineage(boxes: Sequence[Box], hint: str = "") -> str:
    """The boxes as a drawing, each given after those it is made from; more than 60 as a table by group, with a `hint`."""
    if not boxes:
        return note("Nothing is declared here.")
    return _by_group(boxes, hint) if len(boxes) > MOST_BOXES else _drawing(boxes)


def _by_group(boxes: Sequence[Box], hint: str) -> str:
    made = Counter(box.group for box in boxes if not box.is_source)
    sources = Counter(box.group for box in boxes if box.is_source)
    rows = [(group, made[group] or "", sources[group] or "") for group in sorted(made.keys() | sources.keys())]
    return table(("group", "assets", "sources"), rows, numeric=("assets", "sources")) + note(hint)


def _drawing(boxes: Sequence[Box]) -> str:
    known = {box.name for box in boxes}
    layout = layered({box.name: [parent for parent in box.parents if parent in known] for box in boxes})
    by_name = {box.name: box for box in boxes}
    widths = [
        max(_width(by_name[name]) for name, depth in layout.depth.items() if depth == at) for at in range(len(layout.columns))
    ]
    lefts = [MARGIN + sum(widths[:at]) + at * GAP_X for at in range(len(widths))]
    height = max(map(len, layout.columns)) * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    width = lefts[-1] + widths[-1] + MARGIN
    middle = {point: height / 2 + row * (HEIGHT + GAP_Y) for point, row in layout.rows().items()}
    shapes = [
        _edge(lefts[start[1]] + widths[start[1]], middle[start], lefts[end[1]], middle[end]) for start, end in layout.links
    ]
    colours = _colours(boxes)
    for point, y in middle.items():
        name, at = point
        if at > layout.depth[name]:
            shapes.append(_edge(lefts[at], y, lefts[at] + widths[at], y))
        else:
            shapes.append(_box(by_name[name], lefts[at], y, widths[at], _colour(by_name[name], colours)))
    label = f"{len(boxes)} tables and what each is made from"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-label="{label}" style="{FONT};display:block">{"".join(shapes)}</svg>'
    )
    return f'<div style="overflow-x:auto">{svg}</div>{_legend(colours)}'


def _colours(boxes: Sequence[Box]) -> Mapping[str, str]:
    groups = dict.fromkeys(box.group for box in boxes if not box.is_source)
    return {group: COLOURS[number % len(COLOURS)] for number, group in enumerate(groups)}


def _colour(box: Box, colours: Mapping[str, str]) -> str:
    return SOURCE_COLOUR if box.is_source else colours[box.group]


def _legend(colours: Mapping[str, str]) -> str:
    if len(colours) < 2:
        return ""
    marks = [
        f'<span style="white-space:nowrap;margin-right:14px"><span style="display:inline-block;width:9px;height:9px;border-radius:2px;'
        f'margin-right:5px;background:{colour}"></span>{text(group)}</span>'
        for group, colour in colours.items()
    ]
    return f'<div style="{FONT};font-size:12px;padding:2px {MARGIN}px">{"".join(marks)}</div>'


def _label(box: Box) -> str:
    """The name, or the end of it, which says more than its beginning."""
    return box.name if len(box.name) <= LONGEST_LABEL else f"…{box.name[1 - LONGEST_LABEL :]}"


def _width(box: Box) -> float:
    wide = sum(sign > "\u1100" for sign in _label(box))  # ideographs and the like take twice the room
    return round((len(_label(box)) + wide) * SIGN_WIDTH) + 28


def _edge(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = (x1 + x2) / 2
    curve = f"M{x1:g} {y1:g}C{bend:g} {y1:g} {bend:g} {y2:g} {x2:g} {y2:g}"
    return f'<path d="{curve}" fill="none" stroke="currentColor" stroke-opacity=".35" stroke-width="1.3"/>'


def _box(box: Box, x: float, y: float, width: float, colour: str) -> str:
    top, dashes = y - HEIGHT / 2, ' stroke-dasharray="4 3"' if box.is_source else ""
    return (
        f"<g><title>{text(box.title or box.name)}</title>"
        f'<rect x="{x:g}" y="{top:g}" width="{width:g}" height="{HEIGHT}" rx="5" fill="{colour}" fill-opacity=".13" '
        f'stroke="{colour}"{dashes}/><rect x="{x:g}" y="{top:g}" width="4" height="{HEIGHT}" rx="2" fill="{colour}"/>'
        f'<text x="{x + 14:g}" y="{y + 4.5:g}" fill="currentColor">{text(_label(box))}</text></g>'
    )
