"""The lineage of columns that goes on in other code locations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import Instance
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.errors import LocationError
from warehouse_assets.web.app import create_app
from warehouse_assets.web.site import Site

MILL = """
import polars as pl
from io_managers import DuckDBIOManager
from warehouse_assets import Definitions, asset, sql_asset

@asset(key_prefix="mill")
def grain() -> pl.DataFrame:
    return pl.DataFrame({"id": [1], "kilos": [2.5]})

flour = sql_asset("mill/flour", "select id, kilos * 0.9 as kilos from mill.grain")
defs = Definitions([grain, flour], resources={"io_manager": DuckDBIOManager(database="bakery.duckdb")})
"""
OVEN = """
from io_managers import DuckDBIOManager
from warehouse_assets import Definitions, SourceAsset, asset, sql_asset

bread = sql_asset("oven/bread", "select id as loaf, kilos from mill.flour where kilos > 0")
defs = Definitions([SourceAsset("mill/flour"), bread], resources={"io_manager": DuckDBIOManager(database="bakery.duckdb")})
"""

Lines = dict[str, tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mill and an oven."""
    made = tmp_path_factory.mktemp("village")
    (made / "mill.py").write_text(MILL)
    (made / "oven.py").write_text(OVEN)
    return made


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    """A site on them, each in a code location of its own."""
    with (
        Instance.local(folder / "home") as instance,
        Workspace([location_of(name, folder) for name in ("mill", "oven")], environment=instance.environment) as workspace,
    ):
        site = Site(workspace, instance)
        site.start()
        site.wait()
        yield site


@pytest.fixture(scope="module")
def client(site: Site) -> TestClient:
    """Who asks it."""
    return TestClient(create_app(site), base_url="http://localhost")


def lines(client: TestClient, asset: str) -> Lines:
    told = client.get(f"/api/assets/{asset}/-/columns").json()
    sides = [
        [[(link["asset"], link["column"], link["kind"]) for link in line[side]] for side in ("upstream", "downstream")]
        for line in told
    ]
    return {line["column"]: (up, down) for line, (up, down) in zip(told, sides, strict=True)}


BREAD = {
    "loaf": ([("mill/flour", "id", "direct")], []),
    "kilos": ([("mill/flour", "kilos", "direct")], []),
}
FLOUR = {
    "id": ([("mill/grain", "id", "direct")], [("oven/bread", "loaf", "direct")]),
    "kilos": ([("mill/grain", "kilos", "derived")], [("oven/bread", "kilos", "direct")]),
}


def test_columns_lead_into_other_locations_as_sql_says_and_as_recorded(site: Site, client: TestClient, folder: Path) -> None:
    told = [lines(client, "mill/flour"), lines(client, "oven/bread")]
    for module in ("mill", "oven"):
        load_definitions(module, folder).materialize(instance=site.instance)
    recorded = [lines(client, "mill/flour"), lines(client, "oven/bread")]
    page = client.get("/assets/mill/flour?tab=columns").text

    assert (told, recorded) == ([FLOUR, BREAD], [FLOUR, BREAD])
    assert 'href="/assets/oven/bread?tab=columns&amp;column=loaf"' in page


def test_a_location_that_does_not_answer_is_named(site: Site, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise LocationError("it is cold")

    monkeypatch.setattr(site.workspace["oven"], "ask", silent)
    page = client.get("/assets/mill/flour?tab=columns").text

    assert "What oven makes from these columns is not known: it is cold" in page
    assert ">mill/grain</span>" in page
