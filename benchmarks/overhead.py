"""What it costs to run and record an asset that does nothing, against a bare loop over the same graph."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.graphs import Dependencies, chain, define, fan_out
from benchmarks.harness import Report, seconds, take_turns
from warehouse_assets import AssetsDefinition, Instance, materialize

GRAPHS = {"chain of 100": chain(100), "fan-out of 1,000": fan_out(1_000), "chain of 10,000": chain(10_000)}


def overhead(repeat: int) -> Report:
    """Milliseconds per asset, record in memory and in SQLite; the bare loop commits once per asset where there is a record."""
    rows = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        for title, dependencies in GRAPHS.items():
            assets = define(dependencies)
            subjects: dict[str, Callable[[], float]] = {
                "bare, memory": partial(bare, dependencies, None),
                "bare, SQLite": partial(bare, dependencies, folder / "bare.sqlite"),
                "memory": partial(run, assets, Instance.ephemeral),
                "SQLite": partial(run, assets, partial(Instance.local, folder / "instance")),
            }
            for warm_up in subjects.values():
                warm_up()
            taken = take_turns(subjects, repeat)
            rows.append({"graph": title, **{f"{name} ms": 1000 * median(times) / len(assets) for name, times in taken.items()}})
    return Report(f"Overhead per empty asset, median of {repeat}", rows)


def bare(dependencies: Dependencies, record: Path | None) -> float:
    """The seconds of a topological loop that calls a function for each node, and where there is a record commits a row."""
    if record is None:
        return seconds(partial(loop, dependencies, nothing))
    with closing(sqlite3.connect(record)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        connection.execute("create table if not exists events (node text, at real)")
        return seconds(partial(loop, dependencies, partial(commit, connection)))


def loop(dependencies: Dependencies, work: Callable[[str], None]) -> None:
    """The bare loop."""
    for node in TopologicalSorter(dependencies).static_order():
        work(node)


def nothing(node: str) -> None:
    """What each asset does."""


def commit(connection: sqlite3.Connection, node: str) -> None:
    """The same, and a record of it."""
    nothing(node)
    with connection:
        connection.execute("insert into events values (?, ?)", (node, time.time()))


def run(assets: list[AssetsDefinition], record: Callable[[], Instance]) -> float:
    """The seconds of a run, the opening of its record not among them."""
    with record() as instance:
        return seconds(partial(materialize, assets, instance=instance))
