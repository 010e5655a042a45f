"""Turns by objects, in a store that is in memory: what the protocol promises, without the waiting of a real one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest

from io_managers import leases
from io_managers.files import Files
from io_managers.leases import Turn, lease
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager.contexts import logger

TABLE = "/lake/orders.parquet"


@pytest.fixture
def files(monkeypatch):
    monkeypatch.setattr(leases, "LONGEST_WAIT", 0.02)
    yield Files("memory://lake")
    fsspec.filesystem("memory").store.clear()


def turns(files):
    return [int(path.rpartition("/")[2]) for path in files.found(TABLE + leases.FOLDER, "")]


def test_of_many_writers_each_sees_what_the_one_before_wrote(files):
    files.fs.pipe_file(TABLE, b"0")

    def count(_):
        with lease(files, TABLE, logger) as confirm:
            found = int(files.content(TABLE))
            confirm()
            files.fs.pipe_file(TABLE, b"%d" % (found + 1))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(40)))

    assert files.content(TABLE) == b"40"
    assert len(turns(files)) == 1


def test_who_is_not_to_wait_gets_nothing(files):
    with lease(files, TABLE, logger) as taken, lease(files, TABLE, logger, wait=False) as other:
        assert (taken is not None, other) == (True, None)

    with lease(files, TABLE, logger, wait=False) as again:
        assert again is not None


def test_a_block_that_raises_ends_the_turn(files):
    with pytest.raises(ValueError, match="half way"), lease(files, TABLE, logger):
        raise ValueError("half way")

    with lease(files, TABLE, logger, wait=False) as again:
        assert again is not None


def test_of_one_that_is_taken_for_dead_and_its_taker_one_publishes(files, monkeypatch):
    with lease(files, TABLE, logger) as late:
        monkeypatch.setattr(leases, "LEASE", -1.0)
        with lease(files, TABLE, logger) as taker:
            with pytest.raises(TableError, match=r"orders\.parquet was left to process"):
                late()
            taker()


def test_one_that_publishes_in_time_is_not_taken_for_dead(files, monkeypatch):
    with lease(files, TABLE, logger) as first:
        first()
        first()
        with lease(files, TABLE, logger, wait=False) as other:
            assert other is None
        monkeypatch.setattr(leases, "LEASE", -1.0)
        first()  # it asks whether the turn is its own after a long silence
        with lease(files, TABLE, logger), pytest.raises(TableError, match="was left to process"):
            first()


def test_who_looked_long_ago_does_not_write_beside_others(files, monkeypatch):
    for _ in range(3):
        with lease(files, TABLE, logger):
            pass
    numbers, read = leases._Turns.numbers, leases._Turns.read
    seen = iter([[1]])
    monkeypatch.setattr(leases._Turns, "numbers", lambda self: next(seen, None) or numbers(self))
    monkeypatch.setattr(
        leases._Turns,
        "read",
        lambda self, number: Turn(1, "w", "someone", "is done") if number == 1 else read(self, number),
    )
    with lease(files, TABLE, logger):
        held = turns(files)

    assert (held, turns(files)) == ([3, 4], [4])
