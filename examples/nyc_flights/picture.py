"""Draw the lineage, once the example has run: `python -m examples.nyc_flights.picture [folder] > docs/nyc_flights.svg`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TypeAlias
from xml.sax.saxutils import escape

from examples.nyc_flights.definitions import definitions
from warehouse_assets import AssetKey, Definitions, Instance

Parents: TypeAlias = "Mapping[AssetKey, Sequence[AssetKey]]"
Point: TypeAlias = "tuple[AssetKey, int]"  # an asset in its own column, or its line on the way through a later one

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 184, 54, 56, 16, 20
STYLE = """
.paper { fill: #ffffff } .box { fill: #f4f6f9; stroke: #c3ccd6 } .edge { fill: none; stroke: #94a1b0; stroke-width: 1.5 }
text { font: 600 13px system-ui, sans-serif; fill: #1c2733 } .small { font: 11px system-ui, sans-serif; fill: #5a6775 }
.raw { fill: #94a1b0 } .staging { fill: #3b7dd8 } .marts { fill: #2c9a68 }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0f151c } .box { fill: #1a232d; stroke: #3b4856 } .edge { stroke: #64717f }
  text { fill: #e4eaf0 } .small { fill: #9aa7b5 }
}"""


def picture(defs: Definitions, instance: Instance) -> str:
    """The assets as an SVG, from left to right, with the rows of each table; legible on light and on dark pages."""
    parents = {node.key: node.parents for node in defs.graph}
    depth = depths(parents)
    columns, links = layout(parents, depth)
    height = max(map(len, columns)) * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    width = len(columns) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    places = {
        point: (MARGIN + point[1] * (WIDTH + GAP_X), height / 2 + offset * (HEIGHT + GAP_Y))
        for point, offset in offsets(columns).items()
    }
    shapes = [edge(places[start], places[end]) for start, end in links]
    for (key, column), (x, y) in places.items():
        passes = column > depth[key]
        shapes.append(f'<path class="edge" d="M{x} {y}h{WIDTH}"/>' if passes else box(key, x, y, caption(key, instance)))
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>The tables of the example, and what each is made from</title>"
    paper = f'<rect class="paper" width="{width}" height="{height}" rx="8"/>'
    return "\n".join([svg, title, f"<style>{STYLE}\n</style>", paper, *shapes, "</svg>"])


def depths(parents: Parents) -> dict[AssetKey, int]:
    """The column of each asset: one further than the furthest it is made from; `parents` has those first."""
    depth: dict[AssetKey, int] = {}
    for key, above in parents.items():
        depth[key] = 1 + max((depth[parent] for parent in above), default=-1)
    return depth


def layout(parents: Parents, depth: Mapping[AssetKey, int]) -> tuple[list[list[Point]], list[tuple[Point, Point]]]:
    """The points of each column from top to bottom, ordered for few crossings, and the links between neighbouring columns."""
    links = dict.fromkeys(
        ((parent, column), (parent if column + 1 < depth[key] else key, column + 1))
        for key, above in parents.items()
        for parent in above
        for column in range(depth[parent], depth[key])
    )
    points = dict.fromkeys([*depth.items(), *(point for link in links for point in link)])
    columns = [[point for point in points if point[1] == column] for column in range(1 + max(depth.values()))]
    left = {point: [start for start, end in links if end == point] for point in points}
    right = {point: [end for start, end in links if start == point] for point in points}
    for near, order in [(right, columns[::-1]), (left, columns)] * 4:
        for column in order:
            offset = offsets(columns)
            pull = {point: mean(offset[other] for other in near[point] or [point]) for point in column}
            column.sort(key=pull.__getitem__)
    return columns, list(links)


def offsets(columns: Sequence[Sequence[Point]]) -> dict[Point, float]:
    """How many rows each point is below the middle."""
    return {point: row - (len(points) - 1) / 2 for points in columns for row, point in enumerate(points)}


def edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A curve from the right side of one point to the left side of another."""
    (x1, y1), (x2, y2) = (start[0] + WIDTH, start[1]), end
    bend = (x2 - x1) / 2
    return f'<path class="edge" d="M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"/>'


def box(key: AssetKey, x: float, y: float, text: str) -> str:
    """One asset: its name, a stripe in the colour of its layer, and a line of text."""
    top = y - HEIGHT / 2
    return "".join(
        [
            f'<rect class="box" x="{x}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
            f'<rect class="{key.path[0]}" x="{x}" y="{top}" width="5" height="{HEIGHT}" rx="2.5"/>',
            f'<text x="{x + 16}" y="{y - 3}">{escape(key.to_user_string())}</text>',
            f'<text class="small" x="{x + 16}" y="{y + 15}">{escape(text)}</text>',
        ]
    )


def caption(key: AssetKey, instance: Instance) -> str:
    """How many rows the table has, and where it is kept."""
    event = instance.get_latest_materialization_event(key)
    if event is None or event.asset_materialization is None:
        return "source"
    metadata = event.asset_materialization.metadata
    return f"{metadata['row_count'].value:,} rows, {'Parquet' if 'uri' in metadata else 'DuckDB'}"


if __name__ == "__main__":
    home = Path(sys.argv[1] if len(sys.argv) > 1 else "build/nyc_flights")
    with Instance.get(home) as record:
        print(picture(definitions(home), record))
