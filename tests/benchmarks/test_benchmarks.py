from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.turns import turns


def benchmark(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    file = folder / "numbers.json"
    command = [sys.executable, "-m", "benchmarks", *arguments, "--repeat", "1", "--json", str(file)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=True, stdout=subprocess.PIPE, text=True)
    document = json.loads(file.read_text())
    report = document["reports"][0]
    assert report["title"] in done.stdout
    assert {"machine", "measured", "versions"} <= document.keys()
    rows: list[dict[str, Any]] = report["rows"]
    return rows


def test_overhead_measures_each_graph_with_both_records(tmp_path: Path) -> None:
    rows = benchmark(tmp_path, "overhead")

    assert [row["graph"] for row in rows] == ["chain of 100", "fan-out of 1,000", "chain of 10,000"]
    assert all(row[f"{side}{record} ms"] > 0 for row in rows for side in ("", "bare, ") for record in ("memory", "SQLite"))


def test_conditions_are_read_and_decided(tmp_path: Path) -> None:
    rows = benchmark(tmp_path, "conditions", "--assets", "20")

    assert [row["what"] for row in rows] == ["nothing has changed", "the first table was made"]


def test_record_reads_states_and_counts_the_runs_of_processes(tmp_path: Path) -> None:
    rows = benchmark(tmp_path, "record", "--events", "10000", "--runs", "8")

    assert [(row["record"], row["events"]) for row in rows] == [("SQLite", 10_000), ("PostgreSQL", 10_000)]
    assert all(row["one asset ms"] > 0 and row["10,000 assets ms"] > 0 for row in rows)


def test_load_measures_against_graphlib(tmp_path: Path) -> None:
    bare, ours = benchmark(tmp_path, "load")

    assert bare["seconds"] > 0
    assert ours["seconds"] > 0


def test_sql_load_measures_with_and_without_what_is_remembered(tmp_path: Path) -> None:
    rows = benchmark(tmp_path, "sql-load")

    assert [row["when"] for row in rows] == ["nothing is known", "nothing changed", "one file changed"]
    assert all(row["seconds"] > 0 for row in rows)


def test_startup_names_the_large_libraries(tmp_path: Path) -> None:
    rows = benchmark(tmp_path, "startup")

    assert rows[0]["command"] == "python"
    assert [row["large libraries loaded"] for row in rows] == ["none"] * 4


def test_io_measures_both_stores_frames_and_operations(tmp_path: Path) -> None:
    rows = benchmark(tmp_path, "io", "--rows", "1000", "--store", "parquet", "--store", "postgresql")

    cases = [(row["store"], row["frame"], row["operation"]) for row in rows]
    assert cases == [
        (store, frame, operation)
        for store in ("parquet", "postgresql")
        for frame in ("eager", "lazy")
        for operation in ("write", "rewrite", "read")
    ]
    assert all(row["ratio"] > 0 and row["manager peak MB"] > 0 for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "own.parquet"
    pl.DataFrame({"id": range(100), "name": [str(i) for i in range(100)]}).write_parquet(file)
    return file


def test_io_takes_data_and_a_manager_of_ones_own(tmp_path: Path, data: Path) -> None:
    rows = benchmark(tmp_path, "io", "--data", str(data), "--manager", "tests.benchmarks.managers:lake")

    assert [row["store"] for row in rows] == ["tests.benchmarks.managers:lake"] * 6


def test_tpch_measures_runs_and_processes_beside_the_bare_connection(tmp_path: Path) -> None:
    rows = benchmark(tmp_path, "tpch", "--scale", "0.001", "--store", "duckdb", "--store", "parquet")

    measured = ["process, bare", "process, wa materialize", "run, bare", "run, one after the other", "run, in threads"]
    assert [(row["store"], row["measured"]) for row in rows] == [
        (store, name) for store in ("duckdb", "parquet") for name in measured
    ]
    assert all(row["seconds"] > 0 and row["ratio"] > 0 for row in rows)


def test_two_runs_and_a_reader_take_turns_on_one_file(tmp_path: Path) -> None:
    rows = turns(4, tmp_path).rows

    assert [row["process"] for row in rows] == ["first", "second", "reader"]
    assert all(row["rounds"] > 1 for row in rows)
