"""How long a new process takes until it can work, and which large libraries it has loaded by then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.harness import Report, seconds, take_turns

HEAVY = (
    "adbc_driver_manager",
    "duckdb",
    "fsspec",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "rich",
    "sqlalchemy",
    "sqlglot",
)
PROGRAM = Path(sys.executable).with_name("wa")

SUBJECTS = {
    "python": [sys.executable, "-c", "pass"],
    "import warehouse_assets": [sys.executable, "-c", "import warehouse_assets"],
    "from warehouse_assets import asset, Definitions, materialize": [
        sys.executable,
        "-c",
        "from warehouse_assets import asset, Definitions, materialize",
    ],
    "wa --version": [str(PROGRAM), "--version"],
}


def startup(repeat: int) -> Report:
    """Milliseconds of each command as a process of its own, bytecode written, medians of `repeat` runs by turns."""
    runs = {name: partial(run, command) for name, command in SUBJECTS.items()}
    for warm_up in runs.values():
        warm_up()
    times = {name: 1000 * median(taken) for name, taken in take_turns(runs, repeat).items()}
    rows = [
        {
            "command": name,
            "ms": taken,
            "ms over python": taken - times["python"],
            "large libraries loaded": ", ".join(loaded(SUBJECTS[name])) or "none",
        }
        for name, taken in times.items()
    ]
    return Report(f"Start-up, median of {repeat}", rows)


def environment() -> dict[str, str]:
    """The environment of a user: bytecode is written and used."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(command: list[str]) -> float:
    """The seconds that a command takes from start to end."""
    return seconds(partial(subprocess.run, command, check=True, env=environment(), stdout=subprocess.DEVNULL))


def loaded(command: list[str]) -> list[str]:
    """The large libraries that are in memory when the command ends."""
    if command[0] == str(PROGRAM):
        work = f"import runpy, sys; sys.argv = {command!r}; runpy.run_path({command[0]!r}, run_name='__main__')"
    else:
        work = command[-1]
    report = f"import atexit, json, sys; atexit.register(lambda: print(json.dumps([m for m in {HEAVY!r} if m in sys.modules])))"
    done = subprocess.run(
        [sys.executable, "-c", f"{report}\n{work}"], check=True, env=environment(), stdout=subprocess.PIPE, text=True
    )
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names
