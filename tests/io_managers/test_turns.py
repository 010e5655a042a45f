from __future__ import annotations

import subprocess
import sys
import textwrap

import polars as pl

from io_managers.duckdb import DuckDBIOManager
from io_managers.turns import Turns
from warehouse_assets.keys import AssetKey
from warehouse_assets.testing.io_manager import ORDERS, load, store


def elsewhere(script):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


def test_a_process_that_waits_is_seen_until_it_is_gone(tmp_path):
    turns = Turns(str(tmp_path / "w.duckdb"))
    child = elsewhere(
        f"""
        from io_managers.turns import Turns
        with Turns({str(tmp_path / "w.duckdb")!r}).waiting():
            print("waiting", flush=True)
            input()
        """
    )
    child.stdout.readline()
    seen = turns.someone_waits(), Turns(str(tmp_path / "other.duckdb")).someone_waits()
    child.kill()
    child.communicate()

    assert seen == (True, False)
    assert not turns.someone_waits()


def test_a_process_that_writes_all_the_time_lets_another_in(tmp_path):
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"), lock_timeout=30)
    store(manager, ORDERS)
    child = elsewhere(
        f"""
        from concurrent.futures import ThreadPoolExecutor
        import polars as pl
        from io_managers.duckdb import DuckDBIOManager
        from warehouse_assets.keys import AssetKey
        from warehouse_assets.testing.io_manager import store

        manager = DuckDBIOManager(database={manager.database!r})

        def write(number):
            while True:
                store(manager, pl.DataFrame({{"n": range(1000)}}), AssetKey(f"table {{number}}"))

        with ThreadPoolExecutor(4) as threads:
            for number in range(4):
                threads.submit(write, number)
            print("writing", flush=True)
        """
    )
    child.stdout.readline()
    try:
        for number in range(3):
            store(manager, pl.DataFrame({"n": [number]}), AssetKey("mine"))
        found = load(manager, key=AssetKey("mine"))["n"].to_list()
    finally:
        child.kill()
        child.communicate()

    assert found == [2]


def test_a_thread_that_reads_lazily_can_write_while_others_wait(tmp_path):
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))
    store(manager, ORDERS)
    lazy = load(manager, pl.LazyFrame)
    with Turns(manager.database).waiting():
        for _ in range(3):
            store(manager, lazy, AssetKey("copy"))

    assert load(manager, key=AssetKey("copy")).height == 3
