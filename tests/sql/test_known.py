from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import Definitions, load_assets_from_sql_files
from warehouse_assets.sql import known
from warehouse_assets.sql.analysis import read_script
from warehouse_assets.sql.remembered import Remembered

PROGRAM = """
import sys
from warehouse_assets import Definitions, load_assets_from_sql_files
defs = Definitions(load_assets_from_sql_files(sys.argv[1]), unknown_tables="source")
for node in defs.graph:
    print(node.key.to_user_string(), node.spec.description, *(parent.to_user_string() for parent in node.parents), sep=" | ")
print("read again" if "sqlglot" in sys.modules or "yaml" in sys.modules else "remembered")
"""


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what was read is remembered; nothing is, at first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(known, "_scripts", {})
    monkeypatch.setattr(known, "_remembered", {})
    return tmp_path / "cache" / "warehouse-assets" / "sql"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "a.sql").write_text("select * from raw.x")
    (folder / "b.sql").write_text("/* ---\ndescription: The second.\n--- */\nselect * from a pivot (sum(n) for y in (1, 2))")
    return folder


@pytest.fixture
def load(cached: Path, models: Path) -> Callable[[], list[str]]:
    """Loads the models in a process of its own, and gives what it says."""

    def run() -> list[str]:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", PROGRAM, str(models)]
        done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


def test_what_was_read_is_remembered_until_it_changes(load: Callable[[], list[str]], models: Path) -> None:
    first = load()

    assert first == ["raw/x | None", "a | None | raw/x", "b | The second. | a", "read again"]
    assert load() == [*first[:-1], "remembered"]
    (models / "b.sql").write_text("/* ---\ndescription: Another.\n--- */\nselect * from raw.y")
    assert load() == ["raw/x | None", "raw/y | None", "a | None | raw/x", "b | Another. | raw/y", "read again"]
    assert load()[-1] == "remembered"


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: "",
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: json.dumps({**json.loads(text), "scripts": []}),
        lambda text: json.dumps(
            {**json.loads(text), "scripts": {key: {"references": [[1]]} for key in json.loads(text)["scripts"]}}
        ),
        lambda text: json.dumps({**json.loads(text), "scripts": dict.fromkeys(json.loads(text)["scripts"])}),
        lambda text: json.dumps({**json.loads(text), "headers": dict.fromkeys(json.loads(text)["headers"], 3)}),
        lambda text: json.dumps({**json.loads(text), "stamp": "of another version"}),
    ],
    ids=["empty", "torn", "list", "no scripts", "odd scripts", "null scripts", "odd headers", "version"],
)
def test_a_file_that_is_damaged_is_as_good_as_none(
    load: Callable[[], list[str]], cached: Path, harm: Callable[[str], str]
) -> None:
    first = load()
    [file] = cached.iterdir()
    file.write_text(harm(file.read_text()))

    assert load() == first
    assert load()[-1] == "remembered"


def test_where_nothing_can_be_written_it_is_read_each_time(load: Callable[[], list[str]], cached: Path) -> None:
    cached.parent.parent.mkdir()
    cached.parent.write_text("a file, where a folder is looked for")

    assert load()[-1] == load()[-1] == "read again"


def test_processes_that_load_at_once_do_not_harm_each_other(load: Callable[[], list[str]], cached: Path, models: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    started = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(models)], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    told = [process.communicate()[0].splitlines()[:-1] for process in started]

    assert told == [told[0]] * 4
    assert [file.suffix for file in cached.iterdir()] == [".json"]
    assert load()[-1] == "remembered"


def test_many_at_once_are_read_as_one_by_one(cached: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(known.MANY + 1):
        (folder / f"m{number}.sql").write_text(f"select {number}, x from {'m' if number else 'raw.t'}{max(0, number - 1)} as t")
    (folder / "odd.sql").write_text("from m3 pivot (sum(x) for y in (1, 2))")

    graph = Definitions(load_assets_from_sql_files(folder), unknown_tables="source").graph

    parents = {node.key.to_user_string(): [parent.to_user_string() for parent in node.parents] for node in graph}
    assert parents["m0"] == ["raw/t0"]
    assert all(parents[f"m{number}"] == [f"m{number - 1}"] for number in range(1, known.MANY + 1))
    assert parents["odd"] == ["m3"]


def test_what_is_said_in_another_dialect_is_another_text(cached: Path) -> None:
    remembered = Remembered.of("/models")
    remembered.add_script("duckdb", "select 1", read_script("select 1"))

    assert remembered.script("postgres", "select 1") is None


def test_what_is_used_no_more_is_kept_up_to_a_number(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from warehouse_assets.sql import remembered as module

    monkeypatch.setattr(module, "_SPARE", 2)
    script = read_script("select 1")
    for name in ("old", "older", "oldest"):
        one = Remembered.of("/models")
        one.add_script("duckdb", name, script)
        one.save()
    last = Remembered.of("/models")
    last.add_script("duckdb", "new", script)
    last.save()

    found: Any = Remembered.of("/models")
    assert [found.script("duckdb", name) for name in ("old", "older", "oldest", "new")] == [None, script, script, script]
