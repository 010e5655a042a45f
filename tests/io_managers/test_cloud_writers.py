"""Writers in several processes at one table in an object store, on real servers: nothing is lost, whoever is killed."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import Any

import polars as pl
import pytest

from io_managers import leases
from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import InputContext
from warehouse_assets.testing.io_manager import KEY, SharedTableContract, load, options, output_context, store
from warehouse_assets.testing.io_manager.elsewhere import Elsewhere, beside_each_other, run_elsewhere

pytestmark = [
    pytest.mark.semantics(40),
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]

ROW = pl.DataFrame({"n": [1]})


@pytest.fixture(params=["swift", "azurite", "gcs"])
def manager(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ParquetIOManager:
    """One whose repr is enough to make it again: what it needs to know of the server is in the environment."""
    bucket: Any = request.getfixturevalue(request.param)
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(leases, "LEASE", 3.0)  # or a minute would be waited for whoever is killed
    return ParquetIOManager(base_path=f"{bucket.uri}/lake")


class TestSharedTables(SharedTableContract):
    STORE = "Parquet in the clouds"

    @pytest.fixture
    def manager(self, manager):
        return manager


def turns(manager: Any) -> list[str]:
    return [path.rpartition("/")[2] for path in manager._files.found(manager._own(KEY).whole + leases.FOLDER, "")]


def test_a_turn_that_is_over_leaves_one_small_object(manager):
    for _ in range(3):
        store(manager, ROW, **options("append"))

    assert load(manager).height == 3
    assert turns(manager) == [f"{6:012}"]


def test_who_waits_is_told_for_whom(manager, caplog):
    script = """
        with manager.stage(output_context(**options("append")), pl.DataFrame({"n": [2]})):
            print("writing", flush=True)
            input()
    """
    child = Elsewhere(manager, script)
    child.stdout.readline()
    with caplog.at_level(logging.WARNING):
        told = threading.Timer(1.0, lambda: (child.stdin.write("\n"), child.stdin.flush()))
        told.start()
        store(manager, ROW, **options("append"))
    child.communicate()

    assert f"shop/orders.parquet is being written by process {child.pid} on " in caplog.text
    assert sorted(load(manager)["n"]) == [1, 2]


def test_who_gives_no_sign_loses_the_turn_and_writes_nothing(manager, monkeypatch):
    monkeypatch.setattr(leases, "BEAT", 1_000.0)
    store(manager, pl.DataFrame({"n": [0]}), **options("append"))
    script = """
        from io_managers import leases

        leases.LEASE = 1.0
        store(manager, pl.DataFrame({"n": [2]}), **options("append"))
    """

    def written_by_both() -> None:
        with manager.stage(output_context(**options("append")), ROW):
            done = run_elsewhere(manager, script)
            assert (done.returncode, "gave no sign for 1 s" in done.stderr) == (0, True), done.stderr

    with pytest.raises(
        TableError, match=r"orders\.parquet was left to process \d+ on .*; nothing of it was written.*Run it again"
    ):
        written_by_both()

    assert sorted(load(manager)["n"]) == [0, 2]


def test_who_gives_signs_keeps_the_turn(manager, monkeypatch):
    monkeypatch.setattr(leases, "BEAT", 0.3)
    script = """
        from io_managers import leases

        leases.LEASE = 3.0
        print("waits", flush=True)
        store(manager, pl.DataFrame({"n": [2]}), **options("append"))
    """
    with manager.stage(output_context(**options("append")), ROW):
        child = Elsewhere(manager, script)
        child.stdout.readline()
        time.sleep(5)
    said = child.communicate()[1]

    assert (child.returncode, "gave no sign" in said) == (0, False), said
    assert sorted(load(manager)["n"]) == [1, 2]


def test_a_process_killed_as_it_publishes_keeps_nobody_from_it(manager):
    store(manager, pl.DataFrame({"n": [0]}), **options("append"))
    script = """
        from io_managers import uploads

        uploads._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        store(manager, pl.DataFrame({"n": [2]}), **options("append"))
    """
    killed = run_elsewhere(manager, script)
    store(manager, ROW, **options("append"))

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(load(manager)["n"]) == [0, 1]


def test_versions_that_two_processes_make_are_all_kept(manager):
    script = """
        import sys

        for number in range(3):
            store(manager, pl.DataFrame({"n": [int(sys.argv[1]) + number]}), **options(keep_versions=20))
    """
    beside_each_other(manager, script, "10", "20")
    context = InputContext(KEY, upstream_output=output_context(**options(keep_versions=20)))

    assert [each.row_count for each in manager.table_versions(context)] == [1] * 6
    assert load(manager)["n"].item() in (12, 22)


def test_a_store_that_ignores_the_condition_is_told(manager, monkeypatch, caplog):
    real = manager._files.fs.pipe_file
    monkeypatch.setattr(manager._files.fs, "pipe_file", lambda path, data, mode="overwrite": real(path, data))
    monkeypatch.setattr(leases, "_keep_conditions", {})
    for _ in range(2):
        store(manager, ROW, **options("append"))

    assert [each.getMessage().partition(" takes ")[2] for each in caplog.records] == [
        "no notice of If-None-Match: two processes that write one table there may lose rows"
    ]
    assert load(manager).height == 2
