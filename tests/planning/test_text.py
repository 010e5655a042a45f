"""A plan as people read it."""

from __future__ import annotations

from warehouse_assets import AssetKey, Plan
from warehouse_assets.graph.staleness import StaleCause
from warehouse_assets.planning import Fault, PlannedAsset
from warehouse_assets.planning.changes import SQLChange
from warehouse_assets.tables import TableColumn, TableSchema


def schema(*names: str) -> TableSchema:
    return TableSchema(tuple(TableColumn(name, "BIGINT") for name in names))


def planned(key: str, *, runs: bool = True, **told: object) -> PlannedAsset:
    return PlannedAsset(AssetKey.from_user_string(key), "a.py:1", runs, **told)  # type: ignore[arg-type]


def text(*assets: PlannedAsset, selected: int = 3) -> list[str]:
    return str(Plan(assets, selected)).splitlines()


def test_a_wide_new_table_is_cut() -> None:
    wide = planned("a", state="missing", predicted=schema(*(f"c{i}" for i in range(30))))

    assert text(wide)[-3:] == ["      and 18 more", "", "1 asset to make: 1 new"]


def test_columns_of_a_table_that_may_have_others_have_no_sign() -> None:
    assert text(planned("a", state="stale", predicted=schema("n")))[1:3] == ["    columns", "        n  BIGINT"]


def test_many_causes_are_cut() -> None:
    causes = tuple(StaleCause("data", AssetKey(name)) for name in "bcdef")

    assert text(planned("a", state="stale", causes=causes))[:4] == [
        "~ a  b changed",
        "     c changed",
        "     d changed",
        "     and 2 more",
    ]


def test_a_fault_stands_before_what_led_to_it() -> None:
    fault = Fault("no column x\n\nOr y?", "a.sql:3:8", AssetKey("b"), "x")
    asset = planned("a", runs=False, faults=(fault,), sql=SQLChange("SELECT\n  1", "SELECT\n  2"))

    assert text(planned("b", state="stale"), asset)[1:] == [
        "! a  not made by this run; it would fail the next time",
        "    breaks at a.sql:3:8",
        "      b has no column 'x' any more",
        "      no column x",
        "      Or y?",
        "    SQL",
        "       SELECT",
        "      -  1",
        "      +  2",
        "",
        "1 asset to make: 1 anew",
        "1 asset would break: a",
    ]


def test_nothing_to_do() -> None:
    assert [text(selected=1), text(selected=2)] == [
        ["Nothing to do: the asset is fresh"],
        ["Nothing to do: all 2 assets are fresh"],
    ]


def test_names_are_text_in_a_notebook() -> None:
    shown = Plan((planned("a", state="missing", predicted=schema("<b>")),), 1)._repr_html_()

    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
