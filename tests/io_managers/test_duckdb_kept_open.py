from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from io_managers import DuckDBIOManager, database
from io_managers.database import Database
from warehouse_assets import Instance, asset, materialize, sql_asset
from warehouse_assets.io_manager.contexts import logger


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "w.duckdb"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The paths of the files that are opened, as that happens."""
    paths: list[str | None] = []
    really = Database._open

    def counted(self: Database, *arguments: Any) -> Any:
        paths.append(self.path)
        return really(self, *arguments)

    monkeypatch.setattr(Database, "_open", counted)
    return paths


def run(file: Path, *assets: Any) -> None:
    result = materialize(
        list(assets), resources={"io_manager": DuckDBIOManager(database=str(file))}, instance=Instance.ephemeral()
    )
    assert result.success


def in_another_process(file: Path) -> subprocess.CompletedProcess[str]:
    """How it went to open the file for writing, without waiting for it."""
    return subprocess.run(
        [sys.executable, "-c", f"import duckdb; duckdb.connect({str(file)!r}).close()"], check=False, text=True
    )


def test_a_file_is_opened_once_for_assets_that_are_sql(file: Path, opened: list[str | None]) -> None:
    run(file, *(sql_asset(f"shop/t{number}", f"select {number} as n") for number in range(5)))

    assert opened == [str(file)]


def test_it_is_closed_after_the_run(file: Path) -> None:
    run(file, sql_asset("shop/one", "select 1 as n"))

    assert in_another_process(file).returncode == 0
    with duckdb.connect(file, read_only=True) as connection:
        assert connection.sql("from shop.one").fetchall() == [(1,)]


def test_it_is_closed_before_a_function_runs(file: Path) -> None:
    found = []

    @asset(key_prefix="shop", deps=["shop/one"])
    def two() -> None:
        with duckdb.connect(file, read_only=True) as connection:  # refused while this process has it open for writing
            found.append(connection.sql("from shop.one").fetchall())
        found.append(in_another_process(file).returncode)

    run(file, sql_asset("shop/one", "select 1 as n"), two)

    assert found == [[(1,)], 0]


def test_it_is_closed_after_a_moment_of_which_no_use_is_made(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LINGER", 0.01)
    shared = Database.of(str(file))
    shared.keep_open(True)
    try:
        shared.lease(lock_timeout=1, log=logger).close()
        while shared._root is not None:
            time.sleep(0.01)

        assert in_another_process(file).returncode == 0
    finally:
        shared.keep_open(False)


def test_other_settings_open_it_anew(file: Path, opened: list[str | None]) -> None:
    shared = Database.of(str(file))
    shared.keep_open(True)
    try:
        shared.lease(lock_timeout=1, log=logger).close()
        lease = shared.lease(lock_timeout=1, log=logger, config={"threads": 1})
        threads = lease.connection.execute("select current_setting('threads')").fetchall()
        lease.close()
    finally:
        shared.keep_open(False)

    assert threads == [(1,)]
    assert opened == [str(file)] * 2
