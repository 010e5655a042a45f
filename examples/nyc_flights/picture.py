"""Draw the lineage, once the example has run: `python -m examples.nyc_flights.picture [folder] > docs/nyc_flights.svg`."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.sax.saxutils import escape

from examples.nyc_flights.definitions import definitions
from warehouse_assets import AssetKey, Definitions, Instance
from warehouse_assets.html.layout import layered

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
    layout = layered(parents)
    height = max(map(len, layout.columns)) * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    width = len(layout.columns) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    places = {
        point: (MARGIN + point[1] * (WIDTH + GAP_X), height / 2 + row * (HEIGHT + GAP_Y))
        for point, row in layout.rows().items()
    }
    shapes = [edge(places[start], places[end]) for start, end in layout.links]
    for (key, column), (x, y) in places.items():
        passes = column > layout.depth[key]
        shapes.append(f'<path class="edge" d="M{x} {y}h{WIDTH}"/>' if passes else box(key, x, y, caption(key, instance)))
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>The tables of the example, and what each is made from</title>"
    paper = f'<rect class="paper" width="{width}" height="{height}" rx="8"/>'
    return "\n".join([svg, title, f"<style>{STYLE}\n</style>", paper, *shapes, "</svg>"])


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
