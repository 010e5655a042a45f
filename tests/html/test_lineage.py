from __future__ import annotations

from xml.etree import ElementTree

import pytest

from warehouse_assets.html import Box, lineage
from warehouse_assets.html.lineage import MOST_BOXES

HOSTILE = """<script>alert('x')</script>"&\0]]>"""


def parsed(markup: str) -> ElementTree.Element:
    """The markup as XML, which fails where anything in it is not escaped or closed."""
    return ElementTree.fromstring(f"<page>{markup}</page>")


def words(markup: str) -> list[str]:
    return list(parsed(markup).itertext())


def shapes(markup: str, name: str) -> list[ElementTree.Element]:
    return [element for element in parsed(markup).iter() if element.tag.endswith(f"}}{name}") or element.tag == name]


def test_each_table_is_named_and_each_link_drawn() -> None:
    drawing = lineage([Box("raw/orders", is_source=True), Box("orders", ["raw/orders"]), Box("totals", ["orders"])])

    assert [element.text for element in shapes(drawing, "text")] == ["raw/orders", "orders", "totals"]
    assert len(shapes(drawing, "path")) == 2


def test_groups_have_colours_and_a_legend() -> None:
    drawing = lineage([Box("a", group="staging"), Box("b", ["a"], group="marts"), Box("c", ["a"], group="marts")])
    colours = [element.get("stroke") for element in shapes(drawing, "rect") if element.get("stroke")]

    assert colours[1] == colours[2] != colours[0]
    assert words(drawing)[-2:] == ["staging", "marts"]


def test_parents_that_are_not_drawn_are_left_out() -> None:
    assert shapes(lineage([Box("b", ["a"])]), "path") == []


@pytest.mark.parametrize("count", [1, MOST_BOXES + 1])
def test_hostile_text_is_only_text(count: int) -> None:
    boxes = [Box(f"{HOSTILE}{number}", [], HOSTILE, title=HOSTILE) for number in range(count)]

    drawing = lineage(boxes, HOSTILE)

    assert shapes(drawing, "script") == []
    assert any("alert" in text for text in words(drawing))


def test_a_long_name_is_cut_and_told_in_whole() -> None:
    name = f"{'very/' * 20}long"

    drawing = lineage([Box(name)])

    assert [len(element.text or "") for element in shapes(drawing, "text")] == [34]
    assert [element.text for element in shapes(drawing, "title")] == [name]


def test_many_tables_are_counted_by_group() -> None:
    boxes = [Box(f"t{number}", group="staging" if number % 3 else "raw", is_source=not number % 3) for number in range(61)]

    drawing = lineage(boxes, "Draw a part.")

    assert shapes(drawing, "svg") == []
    assert words(drawing) == ["group", "assets", "sources", "raw", "21", "staging", "40", "Draw a part."]


def test_nothing_is_said_to_be_nothing() -> None:
    assert words(lineage([])) == ["Nothing is declared here."]
