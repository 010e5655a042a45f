"""Drawings and tables as HTML, made from plain values: the lowest floor, which knows nothing of assets.

Objects that show themselves in notebooks import this in their `_repr_html_`. Colours are those of the page around, thinned, so that
all is legible on light and dark ones; there are no scripts, styles apart from the elements' own, or things to fetch.
"""

from __future__ import annotations

from warehouse_assets.html.drawing import Drawing, drawn
from warehouse_assets.html.lineage import Box, lineage
from warehouse_assets.html.tables import card, note, progress, table

__all__ = ["Box", "Drawing", "card", "drawn", "lineage", "note", "progress", "table"]
