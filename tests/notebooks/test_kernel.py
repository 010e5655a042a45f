"""A notebook in a real kernel: what its cells show, while a run goes on and after it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]

CELLS = {
    "declare": """
import time
from warehouse_assets import Definitions, ThreadExecutor, asset, materialize

@asset
def orders():
    time.sleep(0.3)
    return [1, 2]

@asset
def totals(context, orders):
    context.report_progress(1, 2)
    return sum(orders)

@asset
def broken(orders):
    raise ValueError("no <b>rows</b>")

defs = Definitions([orders, totals, broken])
defs
""",
    "run": "result = materialize([orders, totals, broken], raise_on_error=False, executor=ThreadExecutor(2))",
    "result": "result",
    "fails": "materialize([orders, broken])",
    "asset": "orders",
}

EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=120).execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What each cell shows."""
    file = tmp_path_factory.mktemp("notebook") / "notebook.ipynb"
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(file)],
        cwd=ROOT,
        env={**os.environ, "IPYTHONDIR": str(file.parent)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CELLS, (cell.outputs for cell in nbformat.read(file, as_version=4).cells), strict=True))


def shown(output: Any) -> str:
    return str(output["data"]["text/html"])


def test_definitions_are_drawn(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["declare"]

    assert shown(output).count("<title>") == 3


def test_a_run_keeps_one_display_up_to_date(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["run"]

    assert output["output_type"] == "display_data"
    assert output["data"]["text/plain"] == "failure: 2 of 3 steps done, 1 failed"
    assert "failure: 2 of 3 steps done, 1 failed" in shown(output)


def test_a_result_is_a_table(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["result"]

    assert "ValueError: no &lt;b&gt;rows&lt;/b&gt;" in shown(output)


def test_an_error_is_raised_under_the_progress(outputs: dict[str, list[Any]]) -> None:
    progress, error = outputs["fails"]

    assert progress["data"]["text/plain"] == "failure: 1 of 2 steps done, 1 failed"
    assert (error["ename"], error["evalue"]) == ("ValueError", "no <b>rows</b>")


def test_an_asset_is_a_card(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["asset"]

    assert shown(output).count("orders") == 1
