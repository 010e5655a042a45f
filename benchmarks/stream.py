"""The memory that a table of many rows takes on its way into a store, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.harness import Report, progress, working_folder
from benchmarks.io import work

LIMITED = {"duckdb": "duckdb, 256 MB"}  # whose buffers would else grow to most of the memory of the machine
NOTE = (
    "Extra memory is the peak of the process above what it took before, with all libraries loaded and a small table written. The\n"
    "same stream into the library itself has the engine's own buffers, which grow with the table up to a limit of the engine."
)


def stream(rows: int, repeat: int, stores: Sequence[str]) -> Report:
    """One stream of four columns, made up as it is read, into each store: by its manager, and by its library where that streams."""
    report: list[dict[str, Any]] = []
    for store in [each for name in stores for each in (LIMITED.get(name), name) if each is not None]:
        row: dict[str, Any] = {"store": store}
        for side, managed in (("manager", True), ("direct", False)):
            with working_folder() as folder:
                outcomes = [work(task="stream", folder=folder, store=store, rows=rows, managed=managed) for _ in range(repeat)]
            row[f"{side} s"] = median(outcome["seconds"] for outcome in outcomes)
            row[f"{side} extra MB"] = median(outcome["extra"] for outcome in outcomes)
        report.append(row)
        progress(row)
    return Report(
        f"{rows:,} rows of 4 columns as a stream, {rows * 32 / 2**20:,.0f} MB as Arrow, median of {repeat}", report, NOTE
    )
