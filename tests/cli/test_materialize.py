from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse_assets import Instance

Wa = Callable[..., Any]


def test_a_module_is_made_and_summed_up(wa: Wa, project: Path) -> None:
    answer = wa("materialize", "-m", "shop")

    assert answer.code == 0
    assert "Success: 3 of 3 assets made, 6 rows" in answer.out
    assert "staging.orders" in answer.out
    assert pl.read_parquet(project / "lake/marts/per_customer.parquet").rows() == [("ann", 2), ("bob", 1)]


def test_every_run_is_recorded_beside_the_project(wa: Wa, project: Path) -> None:
    wa("materialize", "-m", "shop")

    with Instance.local(project / ".warehouse_assets") as instance:
        event = instance.get_latest_materialization_event("marts/best")

        assert event is not None
        assert event.data.metadata["row_count"].value == 1
        assert [run.status for run in instance.get_runs()] == ["SUCCESS"]


def test_a_file_is_a_module_too(wa: Wa) -> None:
    assert wa("materialize", "-m", "shop.py").code == 0


def test_a_selection_runs_alone(wa: Wa) -> None:
    answer = wa("materialize", "-m", "shop", "--select", "staging/orders")

    assert "1 of 1 assets made, 3 rows" in answer.out


@pytest.mark.parametrize("form", ["json", "json file", "toml file"])
def test_configuration_is_json_or_a_file(wa: Wa, project: Path, form: str) -> None:
    json_text = '{"ops": {"staging/orders": {"config": {"rows": 6}}}}'
    (project / "run.json").write_text(json_text)
    (project / "run.toml").write_text('[ops."staging/orders".config]\nrows = 6\n')
    given = {"json": json_text, "json file": "run.json", "toml file": "run.toml"}[form]

    answer = wa("materialize", "-m", "shop", "-s", "staging/orders", "--config", given)

    assert "6 rows" in answer.out


def test_a_failure_spares_what_does_not_depend_on_it_and_is_named_with_its_place(wa: Wa) -> None:
    answer = wa("materialize", "-m", "failing")

    assert answer.code == 1
    assert "Error: bad failed: ValueError: no such luck (failing.py:11)" in answer.err
    assert "Traceback" not in answer.err
    assert "skipped  after  bad made no table" in answer.out
    assert "Failure: 2 of 4 assets made" in answer.out


def test_verbose_gives_the_traceback(wa: Wa) -> None:
    answer = wa("materialize", "-m", "failing", "--verbose")

    assert "Traceback" in answer.err
    assert 'raise ValueError("no such luck")' in answer.err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["-m", "shopp"], "Error: there is no module 'shopp'. Did you mean 'shop'?"),
        (["-m", "shop.pyy"], "Error: there is no module 'shop.pyy'"),
        (["-m", "nowhere/shop.py"], "Error: there is no file 'nowhere/shop.py'"),
        (["-m", "shop", "-s", "staging/ordres"], "Error: there is no asset 'staging/ordres'. Did you mean 'staging/orders'?"),
        (["-m", "shop", "-s", "group:mart"], "Error: there is no asset of group 'mart'. Did you mean 'marts'?"),
        (
            ["-m", "shop", "-s", "raw/events"],
            "Error: the selection 'raw/events' holds only sources, which something else fills",
        ),
        (["-m", "shop", "--threds", "2"], "Error: No such option '--threds'. Did you mean '--threads'?"),
        (["-m", "shop", "-c", "{"], "Error: --config cannot be read"),
        (["-m", "shop", "-c", "no.json"], "Error: --config: there is no file 'no.json'"),
        (
            ["-m", "shop", "-c", '{"ops": {"staging/orders": {"config": {"row": 1}}}}'],
            "Error: the run configuration does not fit: asset 'staging/orders': unknown field 'row' (did you mean 'rows'?)",
        ),
        ([], "Error: No module is given. Give it with -m, or write module = "),
    ],
)
def test_a_mistake_is_one_clear_line(wa: Wa, args: list[str], line: str) -> None:
    answer = wa("materialize", *args)

    assert answer.code == 2
    assert answer.err.startswith(line)
    assert answer.err.count("\n") == 1


def test_a_module_that_raises_is_named_with_its_place(wa: Wa, project: Path) -> None:
    (project / "broken.py").write_text("x = 1\nx.upper()\n")

    answer = wa("materialize", "-m", "broken")

    assert answer.code == 2
    assert answer.err.startswith("Error: the module 'broken' cannot be loaded: AttributeError: ")
    assert "(broken.py:2)" in answer.err


def test_all_faults_of_the_declarations_are_listed(wa: Wa, project: Path) -> None:
    (project / "faulty.py").write_text(
        "from warehouse_assets import asset\n@asset\ndef a(nothing): ...\n@asset(name='a')\ndef again(): ...\n"
    )

    answer = wa("materialize", "-m", "faulty")

    assert answer.code == 2
    assert "2 faults" in answer.err
    assert "faulty.py:2" in answer.err


def test_ctrl_c_ends_the_run_cleanly_and_says_what_is_done(project: Path) -> None:
    (project / "slow.py").write_text(
        "import pathlib, time\n"
        "from warehouse_assets import asset\n"
        "@asset\ndef first() -> None: ...\n"
        "@asset(deps=[first])\ndef second() -> None:\n    pathlib.Path('begun').touch()\n    time.sleep(1)\n"
        "@asset(deps=[second])\ndef third() -> None: ...\n"
    )
    command = [sys.executable, "-c", "from warehouse_assets.cli import main; main()", "materialize", "-m", "slow"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (project / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=200)

    assert process.returncode == 130
    assert "waiting for second" in out
    assert "Canceled: 2 of 3 assets made\n  first, second" in out
    assert "Traceback" not in err
    with Instance.local(project / ".warehouse_assets") as instance:
        assert [run.status for run in instance.get_runs()] == ["CANCELED"]


JOB = """
from shop import best, orders, per_customer
from warehouse_assets import Definitions, define_asset_job
from shop import defs as shop_defs

small = define_asset_job("small", "group:staging", config={"ops": {"staging/orders": {"config": {"rows": 6}}}}, tags={"a": "b"})
defs = Definitions([orders, per_customer, best], jobs=[small], resources=shop_defs.resources)
del shop_defs
"""


@pytest.mark.semantics(31)
def test_a_job_runs_by_its_name(wa: Wa, project: Path) -> None:
    (project / "jobs.py").write_text(JOB)

    answer = wa("materialize", "-m", "jobs", "--job", "small")

    assert "1 of 1 assets made, 6 rows" in answer.out
    with Instance.local(project / ".warehouse_assets") as instance:
        assert [(run.job_name, run.tags) for run in instance.get_runs()] == [("small", {"a": "b"})]


@pytest.mark.semantics(31)
def test_a_job_that_is_not_there_is_a_mistake(wa: Wa, project: Path) -> None:
    (project / "jobs.py").write_text(JOB)

    answer = wa("materialize", "-m", "jobs", "--job", "smal")

    assert (answer.code, answer.err) == (2, "Error: there is no job 'smal'. Did you mean 'small'?\n")
