"""How long it takes to declare many assets and to put them in order."""

from __future__ import annotations

from functools import partial
from graphlib import TopologicalSorter
from statistics import median

from benchmarks.graphs import Dependencies, define, pairs
from benchmarks.harness import Report, seconds, take_turns
from warehouse_assets import Definitions

ASSETS = 10_000


def load(repeat: int) -> Report:
    """Seconds for 10,000 assets of two dependencies each, declared and sorted, against sorting their names alone."""
    dependencies = pairs(ASSETS)
    subjects = {
        "graphlib, names only": partial(seconds, lambda: list(TopologicalSorter(dependencies).static_order())),
        "define and sort assets": partial(seconds, partial(declare, dependencies)),
    }
    taken = take_turns(subjects, repeat)
    rows = [{"work": work, "seconds": median(times)} for work, times in taken.items()]
    return Report(f"{ASSETS:,} assets with two dependencies each, median of {repeat}", rows)


def declare(dependencies: Dependencies) -> Definitions:
    """Declare the assets, and the graph of them."""
    return Definitions(assets=define(dependencies))
