"""The command line of the benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks import conditions as conditions_benchmark
from benchmarks import io as io_benchmark
from benchmarks import load as load_benchmark
from benchmarks import overhead as overhead_benchmark
from benchmarks import record as record_benchmark
from benchmarks import sql_load as sql_load_benchmark
from benchmarks import startup as startup_benchmark
from benchmarks import stream as stream_benchmark
from benchmarks import turns as turns_benchmark
from benchmarks.harness import Report, write_json
from benchmarks.served import served

ROWS = 10_000_000
ALL = ("duckdb", "parquet", "delta", "iceberg", "postgresql")
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(context_settings={"show_default": True})
def main() -> None:
    """Measure what this project costs over the same work done without it."""


def repeated(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that every benchmark has."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option("--json", "file", type=FILE, help="Also write the numbers to this file.")(command)
        return click.option("--repeat", type=click.IntRange(min=1), default=default, help="How often to measure.")(command)

    return decorate


def chosen_stores(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that says which stores are measured."""
    option = click.option(
        "--store",
        "stores",
        type=click.Choice(ALL),
        multiple=True,
        default=ALL,
        help="Only this store; it can be given several times.",
    )
    return option(command)


def finish(reports: Sequence[Report], file: Path | None) -> None:
    """Write the JSON that was asked for."""
    if file is not None:
        write_json(reports, file)


def show(report: Report) -> Report:
    """Print a report as soon as it is there."""
    click.echo(f"{report}\n")
    return report


@main.command()
@repeated(5)
def overhead(repeat: int, file: Path | None) -> None:
    """Running and recording empty assets, against a bare loop over the same graph."""
    finish([show(overhead_benchmark.overhead(repeat))], file)


@main.command()
@repeated(5)
def load(repeat: int, file: Path | None) -> None:
    """Defining and sorting 10,000 assets with two dependencies each."""
    finish([show(load_benchmark.load(repeat))], file)


@main.command()
@repeated(5)
@click.option(
    "--events", type=click.IntRange(min=record_benchmark.ASSETS), default=1_000_000, help="How many events there are."
)
@click.option("--runs", type=click.IntRange(min=record_benchmark.PROCESSES), default=1_000, help="How many runs are recorded.")
def record(repeat: int, events: int, runs: int, file: Path | None) -> None:
    """The state of assets among many events, and runs that processes record at once, on SQLite and PostgreSQL."""
    with served(["postgresql"]):
        finish([show(record_benchmark.state(events, repeat)), show(record_benchmark.runs_at_once(runs))], file)


@main.command()
@repeated(5)
@click.option("--assets", type=click.IntRange(min=1), default=10_000, help="How many assets have a condition.")
def conditions(repeat: int, assets: int, file: Path | None) -> None:
    """Evaluating the automation conditions of many assets."""
    finish([show(conditions_benchmark.conditions(assets, repeat))], file)


@main.command("sql-load")
@repeated(3)
def sql_load(repeat: int, file: Path | None) -> None:
    """Loading 2,000 .sql files, when nothing is known of them, and when they were loaded before."""
    finish([show(sql_load_benchmark.sql_load(repeat))], file)


@main.command()
@repeated(15)
def startup(repeat: int, file: Path | None) -> None:
    """Starting: the imports and the command line, against bare Python."""
    finish([show(startup_benchmark.startup(repeat))], file)


@main.command()
@repeated(5)
@click.option("--rows", type=click.IntRange(min=1), default=ROWS, help="How many rows to make up.")
@click.option("--data", type=click.Path(exists=True, path_type=Path, dir_okay=False), help="A Parquet file to use instead.")
@click.option("--manager", help="module:factory, called with a folder, of an I/O manager to measure against plain Parquet.")
@chosen_stores
def io(repeat: int, rows: int, data: Path | None, manager: str | None, stores: Sequence[str], file: Path | None) -> None:
    """Writing and reading tables through I/O managers, against the library of each store called directly."""
    with served(() if manager is not None else stores):
        reports = [show(io_benchmark.io(rows, repeat, data, manager, stores))]
        if "postgresql" in stores and manager is None:
            reports.append(show(io_benchmark.by_rows(min(rows, 500_000), repeat)))
    finish(reports, file)


@main.command()
@repeated(1)
@click.option("--rows", type=click.IntRange(min=1), default=10 * ROWS, help="How many rows to make up.")
@chosen_stores
def stream(repeat: int, rows: int, stores: Sequence[str], file: Path | None) -> None:
    """The memory that a stream of many rows takes on its way into each store."""
    with served(stores):
        finish([show(stream_benchmark.stream(rows, repeat, stores))], file)


@main.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, help="For how long.")
@click.option("--json", "file", type=FILE, help="Also write the numbers to this file.")
def turns(seconds: float, file: Path | None) -> None:
    """Two runs and a reader, each in a process of its own, on one DuckDB file; it fails where one does, or a row is lost."""
    finish([show(turns_benchmark.turns(seconds))], file)


@main.command()
@repeated(5)
@click.option(
    "--scale", type=click.FloatRange(min=0, min_open=True), default=1.0, help="The scale factor: 1 is a gigabyte of text."
)
@click.option(
    "--store", "stores", type=click.Choice(["duckdb", "parquet"]), multiple=True, default=["duckdb"], help="Where to."
)
@click.option("--dbt", type=click.Path(exists=True, path_type=Path, dir_okay=False), help="The program dbt, with dbt-duckdb.")
def tpch(repeat: int, scale: float, stores: Sequence[str], dbt: Path | None, file: Path | None) -> None:
    """The 22 queries of TPC-H as assets, against the same statements in one bare DuckDB connection."""
    from benchmarks import tpch as tpch_benchmark  # which loads the example

    finish([show(tpch_benchmark.tpch(scale, repeat, stores, dbt))], file)


@main.command()
@click.option(
    "--assets", "sizes", type=click.IntRange(min=1), multiple=True, default=(41, 5_000), help="How many; several times."
)
@click.option("--followed", type=click.IntRange(min=1), default=1_000, help="The assets of the run that a page follows.")
@click.option("--json", "file", type=FILE, help="Also write the numbers to this file.")
def web(sizes: Sequence[int], followed: int, file: Path | None) -> None:
    """The pages of the web UI in Chromium, without a window, beside the reference's."""
    from benchmarks import web as web_benchmark  # which loads a browser

    finish([show(report) for report in web_benchmark.web(sizes, followed)], file)


@main.command("all")
@click.option("--json", "file", type=FILE, help="Also write the numbers to this file.")
def every(file: Path | None) -> None:
    """All of them, as they are by default."""
    reports = [
        show(startup_benchmark.startup(15)),
        show(load_benchmark.load(5)),
        show(sql_load_benchmark.sql_load(3)),
        show(overhead_benchmark.overhead(5)),
    ]
    with served(ALL):
        reports.append(show(io_benchmark.io(ROWS, 5, None, None, ALL)))
    finish(reports, file)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
