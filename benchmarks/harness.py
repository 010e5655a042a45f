"""What the benchmarks share: measuring by turns, and reports that print as a table and write as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

T = TypeVar("T")

PACKAGES = ("warehouse-assets", "duckdb", "polars", "pyarrow", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one benchmark: rows of named values, numbers in the unit that their column names."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    note: str = ""

    def __str__(self) -> str:
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        cells = [columns, *([shown(row.get(column)) for column in columns] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
        numeric = [all(not isinstance(row.get(column), str) for row in self.rows) for column in columns]
        lines = [
            "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True)).rstrip()
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, "", *lines, *(["", self.note] if self.note else [])])


def progress(row: Mapping[str, Any]) -> None:
    """Say on standard error what one row of a report found, so that a long benchmark is not silent."""
    print(", ".join(f"{column} {shown(value)}" for column, value in row.items()), file=sys.stderr, flush=True)


def shown(value: Any) -> str:
    """A value as a table shows it: floats with three digits that count.

    >>> [shown(value) for value in (0.012345, 1.5, 1234.56, 10_000, None)]
    ['0.0123', '1.50', '1,235', '10,000', '-']
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        if value >= 100:
            return f"{value:,.0f}"
        return f"{value:#.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@contextmanager
def working_folder(parent: Path = Path("build")) -> Iterator[Path]:
    """A folder for the tables of a benchmark, on the disk of the project and gone afterwards; its path is absolute."""
    parent = parent.resolve()
    parent.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=parent, prefix="benchmark-") as name:
        yield Path(name)


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def take_turns(subjects: Mapping[str, Callable[[], T]], repeat: int) -> dict[str, list[T]]:
    """Run each subject `repeat` times, by turns and in alternating order, so that a slow minute slows all of them.

    >>> take_turns({"a": lambda: 1, "b": lambda: 2}, repeat=2)
    {'a': [1, 1], 'b': [2, 2]}
    """
    outcomes: dict[str, list[T]] = {name: [] for name in subjects}
    for turn in range(repeat):
        for name in list(subjects)[:: -1 if turn % 2 else 1]:
            outcomes[name].append(subjects[name]())
    return outcomes


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of the pairs that were measured one after the other.

    >>> paired_ratio([2, 4, 9], [1, 2, 3])
    2.0
    """
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def write_json(reports: Sequence[Report], file: Path) -> None:
    """Write the reports, with the machine and the versions that they hold for."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    document = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": versions,
        "reports": [asdict(report) for report in reports],
    }
    file.write_text(json.dumps(document, indent=2) + "\n")
