"""A module with every kind of faulty declaration, and the one report of all of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError

SHOP = """
import polars as pl
from io_managers import DuckDBIOManager
from warehouse_assets import *
from warehouse_assets import AssetDep

HOUSE = DuckDBIOManager()
DAYS, WEEKS = DailyPartitionsDefinition("2024-01-01"), WeeklyPartitionsDefinition("2024-01-01")

# keys and @asset
asset(key="a", name="b")(lambda: None)  # 2
asset(name="class")(lambda: None)  # 10
asset(name="two words")(lambda: None)  # 10
asset(name="c", owners=["nobody"], tags={"a b": "c"}, kinds={"?"}, group_name="no group")(lambda: None)  # 10
AssetIn(key="a", key_prefix="b")  # 5
asset(name="d", deps=[AssetDep("a"), AssetDep("a", DAYS and IdentityPartitionMapping())])(lambda: None)  # 5
asset(name="e", ins={"nothing": AssetIn("x")})(lambda: None)  # 6
asset(name="g", io_manager_key="x", io_manager_def=HOUSE)(lambda: None)  # 1
async def waits(): ...  # 1
asset(name="h")(waits)
RetryPolicy(max_retries=-1)  # 21
RetryPolicy(backoff=Backoff.LINEAR)  # 21
@observable_source_asset(key="s", name="t")  # 11
def seen(): ...

# several at once
multi_asset(outs={"a": AssetOut(), "b": 3}, name="m1")(lambda: None)  # 15
multi_asset(outs={"a": AssetOut("x"), "b": AssetOut(key="x/a")}, name="m2")(lambda: None)  # 15
multi_asset(outs={"a": AssetOut()}, specs=[AssetSpec("b")], name="m3")(lambda: None)  # 15
multi_asset(outs={"a": AssetOut(group_name="x")}, group_name="y", name="m4")(lambda: None)  # 15
multi_asset(outs={"a": AssetOut()}, internal_asset_deps={"c": ["a"], "a": ["z"]}, name="m5")(lambda: None)  # 16
multi_asset(specs=[AssetSpec("a", partitions_def=DAYS), AssetSpec("b")], name="m6")(lambda: None)  # 37

# ops and graphs
@op(ins={"y": In()}, out={"not ok": Out()})  # 17
def odd(x): ...
op(name="class")(lambda: 1)  # 17
one = op(name="one")(lambda: 1)
two = op(name="two")(lambda x: x)
@graph
def unconnected():
    two()  # 17
    two(3)  # 17
    one(1)  # 17
    return 5
@graph_asset  # 17
def dangling():
    one()
    return two(one())
graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()}, name="gm")(lambda: {"a": one()})  # 17
AssetsDefinition.from_op(one, keys_by_output_name={"other": "x"})  # 17

# partitions
asset(name="i", partitions_def="daily")(lambda: None)  # 37
asset(name="j", partitions_def=DAYS, metadata={"partition_expr": 3})(lambda: None)  # 44

# the graph and the resources
@asset(key_prefix="x")
def orders(): ...
@asset(key_prefix="y", name="orders")
def other_orders(): ...
@asset
def twice(): ...
twice_again = asset(name="twice")(lambda: None)  # 8
@asset  # 5
def unclear(orders): ...
@asset  # 7
def typo(twise): ...
@asset  # 8
def me(me): ...
@asset  # 8
def left(right): ...
@asset  # 8
def right(left): ...
@asset  # 18
def needs(db: "Undefined"): ...
@asset(required_resource_keys={"mailer"}, name="sends")  # 19
def sends(context) -> None: ...
@asset(resource_defs={"house": 3})  # 19
def conflicting(): ...
shared = asset(name="Twice", io_manager_key="house")(lambda: None)  # 38
shared_too = asset(name="tWice", io_manager_key="house")(lambda: None)  # 38
half = multi_asset(specs=[AssetSpec("p"), AssetSpec("q")], name="half")(lambda: None)

define_asset_job("not ok")  # 31
job = define_asset_job("lost", "group:nowhere")  # 31

defs = Definitions(  # 30
    [orders, other_orders, twice, twice_again, unclear, typo, me, left, right, needs, sends, shared, shared_too, half, conflicting, 3],
    jobs=[job, job, define_asset_job("lost")],
    resources={"house": HOUSE},
)

AssetKey([])  # 3: nothing after this is read
asset(name="lambda")(lambda: None)
"""


@pytest.fixture(autouse=True)
def clean_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    forget_modules_of(tmp_path)


@pytest.mark.semantics(30)
def test_every_kind_of_fault_in_a_module_is_in_one_report(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    marked = {number for number, line in enumerate(SHOP.splitlines(), 1) if re.search(r"  # \d", line)}

    with pytest.raises(InvalidDefinitionsError) as caught:
        load_definitions("shop", tmp_path)

    faults = [str(fault) for fault in caught.value.exceptions]
    told = {int(number) for fault in faults for number in re.findall(r"shop\.py:(\d+)", fault)}
    assert sorted(marked - told) == []
    assert [fault for fault in faults if "shop.py:" not in fault] == []
    assert [fault for fault in faults if faults.count(fault) > 1] == []
    assert str(caught.value).startswith(f"{len(faults)} faults in 'shop':\n  - asset 'b': key is given together with")


@pytest.mark.semantics(30)
def test_faults_of_imported_modules_are_in_the_report_too(tmp_path: Path) -> None:
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "warehouse/__init__.py").touch()
    faulty = "from warehouse_assets import asset\n@asset(owners=['{0}'])\ndef {0}(): ...\n"
    for name in ("raw", "marts"):
        (tmp_path / f"warehouse/{name}.py").write_text(faulty.format(name))
    (tmp_path / "warehouse/definitions.py").write_text(
        "from warehouse_assets import Definitions, load_assets_from_package_name\n"
        "from warehouse import marts, raw\n"
        "defs = Definitions([raw.raw, marts.marts], resources={}, jobs=['nightly'])\n"
    )

    for _ in range(2):  # what was faulty is read anew
        with pytest.raises(InvalidDefinitionsError) as caught:
            load_definitions("warehouse.definitions", tmp_path)

        places = re.findall(r"\w+/\w+\.py:\d+", str(caught.value))
        assert places == ["warehouse/marts.py:2", "warehouse/raw.py:2", "warehouse/definitions.py:3"]

    for name in ("raw", "marts"):
        (tmp_path / f"warehouse/{name}.py").write_text(faulty.format(name).replace("['", "['team:"))
    definitions = (tmp_path / "warehouse/definitions.py").read_text()
    (tmp_path / "warehouse/definitions.py").write_text(definitions.replace("'nightly'", ""))
    assert len(load_definitions("warehouse.definitions", tmp_path).graph) == 2


def test_what_a_module_raises_after_a_fault_gives_way_to_the_report(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("from warehouse_assets import asset\nasset(name='a b')(lambda: 1)\n1 / 0\n")

    with pytest.raises(InvalidDefinitionError, match="the name 'a b' is not allowed"):
        load_definitions("shop", tmp_path)


@pytest.mark.semantics(30)
def test_a_group_that_is_given_twice_is_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from warehouse_assets import *\n"
        "@asset(group_name='marts')\ndef orders(): ...\n"
        "defs = Definitions(load_assets_from_current_module(group_name='raw'), jobs=[define_asset_job('j', 'nothing')])\n"
    )

    with pytest.raises(InvalidDefinitionsError) as caught:
        load_definitions("shop", tmp_path)

    first, second = map(str, caught.value.exceptions)
    assert first.startswith("group name already exists on assets orders (")
    assert "shop.py:4" in first
    assert second.startswith("job 'j': there is no asset 'nothing' (")
    assert "shop.py:4" in second


def test_outside_of_a_loader_a_fault_is_raised_where_it_is_declared() -> None:
    from warehouse_assets import asset

    with pytest.raises(InvalidDefinitionError, match="the name 'a b' is not allowed"):
        asset(name="a b")(lambda: 1)
