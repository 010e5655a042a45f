"""Code locations in processes of their own, and the lineage through all of them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from warehouse_assets import Definitions
from warehouse_assets.cli import main
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError, LocationError
from warehouse_assets.keys import AssetKey

pytestmark = pytest.mark.semantics(33)

SHOP = """
from warehouse_assets import StaticPartitionsDefinition, asset, asset_check, define_asset_job

print("loud")

@asset(group_name="shop", owners=["team:shop"], tags={"tier": "gold"}, partitions_def=StaticPartitionsDefinition(["eu", "us"]))
def orders():
    '''What was ordered.'''

@asset_check(asset=orders)
def fine(): ...

nightly = define_asset_job("nightly")
"""
REPORTS = """
from warehouse_assets import SourceAsset, asset

orders = SourceAsset("orders")

@asset(deps=["orders", "elsewhere"])
def report(): ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "shop": SHOP,
        "reports": REPORTS,
        "broken": "x = 1\n1 / 0\n",
        "leaving": "raise SystemExit(4)\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace(location_of(name, folder) for name in ("shop", "reports", "broken", "leaving.py")) as opened:
        yield opened


def test_a_source_that_is_an_asset_elsewhere_is_one_node_and_broken_locations_harm_nobody(
    workspace: Workspace, folder: Path
) -> None:
    assets = workspace.assets()
    orders, elsewhere = assets[AssetKey("orders")], assets[AssetKey("elsewhere")]

    assert (orders.location, orders.sources, orders.children) == ("shop", ("reports",), [AssetKey("report")])
    assert (elsewhere.location, elsewhere.facts.is_executable) == ("reports", False)
    assert sorted(key.to_user_string() for key in assets) == ["elsewhere", "orders", "report"]
    errors = {name: str(error) for name, error in workspace.errors().items()}
    assert errors["broken"].startswith(f"broken: ZeroDivisionError: division by zero ({folder}/broken.py:2)")
    assert errors["leaving"].startswith("leaving: SystemExit: 4")
    assert workspace.faults() == []


def test_a_snapshot_has_all_that_a_page_shows(workspace: Workspace, folder: Path) -> None:
    facts = workspace["shop"].snapshot()
    (orders,) = facts.assets

    assert (orders.group, orders.owners, orders.tags, orders.checks) == ("shop", ("team:shop",), {"tier": "gold"}, ("fine",))
    assert (orders.description, orders.partitions) == ("What was ordered.", "static partitions 'eu', 'us'")
    assert orders.place == f"{folder}/shop.py:6"
    assert [job.name for job in facts.jobs] == ["nightly"]
    assert workspace["shop"].partition_keys(AssetKey("orders")) == ["eu", "us"]


def test_a_location_is_loaded_anew_when_that_is_asked_for(workspace: Workspace, folder: Path) -> None:
    with pytest.raises(LocationError, match="ZeroDivisionError") as failed:
        workspace["broken"].snapshot()
    (folder / "broken.py").write_text("from warehouse_assets import asset\n@asset\ndef mended(): ...\n")
    with pytest.raises(LocationError, match="ZeroDivisionError"):
        workspace["broken"].snapshot()
    workspace.reload("broken")

    assert [one.key for one in workspace["broken"].snapshot().assets] == [("mended",)]
    assert workspace["broken"].error is None
    assert "1 / 0" in (failed.value.traceback or "")


def test_a_process_that_dies_is_started_again_and_one_that_hangs_is_ended(folder: Path) -> None:
    (folder / "hanging.py").write_text("import time\ntime.sleep(600)\n")
    with (
        Workspace([location_of("shop", folder), location_of("hanging", folder)], seconds=20) as workspace,
        ThreadPoolExecutor() as threads,
    ):
        shop = workspace["shop"]
        shop.snapshot()
        pid = shop._running._process.pid  # type: ignore[union-attr]
        os.kill(pid, signal.SIGSTOP)
        asked = [threads.submit(shop.partition_keys, AssetKey("orders")) for _ in range(2)]
        os.kill(pid, signal.SIGKILL)
        for one in asked:
            with pytest.raises(LocationError, match="the process of location 'shop' ended by signal 9"):
                one.result()
        again = shop.partition_keys(AssetKey("orders"))
        workspace["hanging"]._seconds = 1
        with pytest.raises(LocationError, match=r"did not answer in 1 s"):
            workspace["hanging"].snapshot()

    assert (again, shop.error) == (["eu", "us"], None)


def unknown(definitions: Definitions, request: None) -> None:
    """What no location answers."""


def test_a_question_of_another_package_is_not_answered(workspace: Workspace) -> None:
    with pytest.raises(LocationError, match=r"nothing answers '.*test_workspace:unknown'"):
        workspace["shop"].ask(unknown, None)

    assert len(workspace["shop"].snapshot().assets) == 1


def test_two_locations_that_make_one_asset_are_a_fault_that_is_shown(folder: Path) -> None:
    (folder / "again.py").write_text("from warehouse_assets import asset\n@asset\ndef orders(): ...\n")
    with Workspace([location_of("shop", folder), location_of("again", folder)]) as workspace:
        faults = workspace.faults()
        owner = workspace.assets()[AssetKey("orders")].location

    places = f"shop ({folder}/shop.py:6) and again ({folder}/again.py:2)"
    assert (faults, owner) == ([f"asset 'orders' is made in several locations: {places}"], "shop")


def test_names_are_those_of_one_location_each(folder: Path) -> None:
    with pytest.raises(InvalidDefinitionError, match="several code locations are called 'shop'"):
        Workspace([location_of("shop", folder), location_of("old/shop.py", folder)])
    with (
        Workspace([location_of("shop", folder)]) as workspace,
        pytest.raises(InvalidSelectionError, match="Did you mean 'shop'"),
    ):
        workspace["shp"]


def test_the_command_shows_all_locations_and_ends_with_2_for_a_broken_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "workspace.toml").write_text('[[location]]\nmodule = "shop"\n[[location]]\nfile = "broken.py"\n')
    with pytest.raises(SystemExit) as ended:
        main(["workspace", "list", "--json"])
    told = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit) as well:
        main(["workspace", "assets", "-m", "shop", "-m", "reports"])
    shown = capsys.readouterr().out

    assert (ended.value.code, [row.get("assets") for row in told["locations"]]) == (2, [1, None])
    assert told["locations"][1]["error"]["message"] == "broken: ZeroDivisionError: division by zero (broken.py:2)"
    assert (well.value.code, [line.split() for line in shown.splitlines()[2:]]) == (
        0,
        [["orders", "shop", "reports"], ["elsewhere", "(source)", "reports"], ["report", "reports", "orders,", "elsewhere"]],
    )


def test_lineage_goes_through_all_locations(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    modules = [text for name in ("shop", "reports", "broken") for text in ("-m", name)]
    with pytest.raises(SystemExit) as ended:
        main(["lineage", "orders", "--downstream", *modules])
    shown = capsys.readouterr()

    assert (ended.value.code, shown.out) == (0, "orders\n└── report\n")
    assert shown.err == "Warning: broken: ZeroDivisionError: division by zero (broken.py:2)\n"
