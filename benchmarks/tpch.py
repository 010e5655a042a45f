"""The 22 queries of TPC-H as assets, against the same statements in one bare DuckDB connection."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import tpch_bare
from benchmarks.harness import Report, paired_ratio, progress, seconds, take_turns, working_folder
from benchmarks.startup import PROGRAM, environment
from benchmarks.tpch_dbt import write_project
from examples.tpch.definitions import definitions
from examples.tpch.land import land
from warehouse_assets import InProcessExecutor, Instance, ThreadExecutor
from warehouse_assets.execution.executors import Executor

ROOT = Path(__file__).parents[1]
QUERIES = ROOT / "examples" / "tpch" / "queries"
NOTE = (
    "A run alone begins with what is loaded and declared, and ends with the file closed; it is recorded in memory. A process begins\n"
    "with nothing, and records in SQLite. Each is over the same Parquet files into a new place, by turns, and once before to warm up."
)


class Cost(NamedTuple):
    """What a process takes."""

    seconds: float
    processor: float  # seconds, of all cores
    peak: float  # MB of memory


def tpch(scale: float, repeat: int, stores: Sequence[str], dbt: Path | None) -> Report:
    """Runs in one process, and processes of their own, each beside the bare connection; and `dbt`, the program, where it is given."""
    data = ROOT / "build" / f"tpch-{scale:g}" / "tpch"
    land(data, scale)
    rows = []
    with working_folder() as folder:
        for store in stores:
            rows += _processes(store, data, folder, repeat, dbt if store == "duckdb" else None)
            rows += _runs_alone(store, data, folder, repeat)
    return Report(f"The 22 queries of TPC-H at scale {scale:g}, median of {repeat}", rows, NOTE)


def _runs_alone(store: str, data: Path, folder: Path, repeat: int) -> list[dict[str, Any]]:
    def bare(place: Path) -> float:
        return seconds(lambda: tpch_bare.run(store, place, QUERIES))

    def ours(executor: Executor, place: Path) -> float:
        defs = definitions(store, place)
        return seconds(lambda: defs.materialize(instance=Instance.ephemeral(), executor=executor))

    subjects: dict[str, Callable[[Path], float]] = {
        "bare": bare,
        "one after the other": partial(ours, InProcessExecutor()),
        "in threads": partial(ours, ThreadExecutor()),
    }
    turns = {name: partial(_in_new_place, data, folder, work) for name, work in subjects.items()}
    taken = {name: times[1:] for name, times in take_turns(turns, repeat + 1).items()}
    rows = []
    for name, times in taken.items():
        row = {
            "store": store,
            "measured": f"run, {name}",
            "seconds": median(times),
            "ratio": paired_ratio(times, taken["bare"]),
        }
        rows.append(row | {"more s": median(a - b for a, b in zip(times, taken["bare"], strict=True))})
        progress(rows[-1])
    return rows


def _processes(store: str, data: Path, folder: Path, repeat: int, dbt: Path | None) -> list[dict[str, Any]]:
    def bare(place: Path) -> Cost:
        return _process([sys.executable, tpch_bare.__file__, store, str(place), str(QUERIES)], {})

    def ours(place: Path) -> Cost:
        variables = {"TPCH_STORE": store, "TPCH_FOLDER": str(place), "WAREHOUSE_ASSETS_HOME": str(folder / "record")}
        return _process([str(PROGRAM), "materialize", "-m", "examples.tpch.definitions"], variables)

    def dbt_run(place: Path) -> Cost:
        write_project(project := place / "dbt", place / "tpch", QUERIES)
        places = ["--project-dir", str(project), "--profiles-dir", str(project)]
        return _process([str(dbt), "--quiet", "run", *places], {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"})

    subjects: dict[str, Callable[[Path], Cost]] = {"bare": bare, "wa materialize": ours}
    if dbt is not None:
        subjects["dbt run"] = dbt_run
    turns = {name: partial(_in_new_place, data, folder, work) for name, work in subjects.items()}
    taken = {name: outcomes[1:] for name, outcomes in take_turns(turns, repeat + 1).items()}
    rows = []
    for name, costs in taken.items():
        pairs = [(one.seconds, other.seconds) for one, other in zip(costs, taken["bare"], strict=True)]
        row: dict[str, Any] = {"store": store, "measured": f"process, {name}", "seconds": median(one for one, _ in pairs)}
        row |= {"ratio": median(a / b for a, b in pairs), "more s": median(a - b for a, b in pairs)}
        row |= {"processor s": median(one.processor for one in costs), "peak MB": median(one.peak for one in costs)}
        rows.append(row)
        progress(row)
    return rows


def _in_new_place(data: Path, folder: Path, work: Callable[[Path], Any]) -> Any:
    """What `work` gives in a folder that holds the tables and nothing else."""
    with working_folder(folder) as place:
        (place / "tpch").symlink_to(data)
        return work(place)


def _process(command: list[str], variables: dict[str, str]) -> Cost:
    """What a command takes from start to end."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**environment(), "PYTHONPATH": str(ROOT), **variables}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
