from __future__ import annotations

import pytest

from warehouse_assets.html.layout import layered


def test_a_box_stands_right_of_all_it_is_made_from() -> None:
    layout = layered({"a": [], "b": ["a"], "c": ["a", "b"], "d": []})

    assert layout.depth == {"a": 0, "b": 1, "c": 2, "d": 0}


def test_a_long_link_passes_through_the_columns_between() -> None:
    layout = layered({"a": [], "b": ["a"], "c": ["a", "b"]})

    assert (("a", 0), ("a", 1)) in layout.links
    assert (("a", 1), ("c", 2)) in layout.links
    assert set(layout.columns[1]) == {("b", 1), ("a", 1)}


@pytest.mark.parametrize("width", [2, 5, 9])
def test_boxes_that_belong_together_stand_side_by_side(width: int) -> None:
    sources = {f"source {number}": [] for number in range(width)}
    made = {f"made {number}": [f"source {number}"] for number in reversed(range(width))}

    rows = layered({**sources, **made}).rows()

    assert [rows[f"made {number}", 1] for number in range(width)] == [rows[f"source {number}", 0] for number in range(width)]


def test_nothing_has_no_columns() -> None:
    assert layered({}).columns == []


def test_a_deep_chain_needs_no_deep_stack() -> None:
    chain = {number: [number - 1] if number else [] for number in range(3000)}

    assert len(layered(chain).columns) == 3000


def test_links_go_straight_where_too_many_points_would_be_on_their_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse_assets.html.layout.MOST_POINTS", 2)
    layout = layered({"a": [], "b": ["a"], "c": ["a", "b"]})

    assert layout.links == [(("a", 0), ("b", 1)), (("a", 0), ("c", 2)), (("b", 1), ("c", 2))]
    assert layout.columns == [[("a", 0)], [("b", 1)], [("c", 2)]]
