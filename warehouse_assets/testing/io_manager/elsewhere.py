"""Other processes, in which a contract uses the same manager: forked off one that has imported what all of them need."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import textwrap
from contextlib import ExitStack
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.reduction import DupFd
from pathlib import Path
from types import TracebackType
from typing import Any

from warehouse_assets.io_manager import IOManager

__all__ = ["Elsewhere", "beside_each_other", "run_elsewhere"]

SECONDS = 120.0  # that a script may take

# They start no thread that would be missing after the fork, unlike polars, and read no environment, unlike the catalogs of pyiceberg: these each
# process imports itself. Those that are not installed are passed over.
_PREPARED = [
    "deltalake",
    "duckdb",
    "fsspec",
    "io_managers.files",
    "io_managers.table",
    "psycopg",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic",
    "pyiceberg.table",
    "pytest",
    "s3fs",
    "sqlalchemy",
    "sqlglot",
    "warehouse_assets.testing.contract",
]


class Elsewhere:
    """A script that runs in a process of its own with the same manager, which its repr builds again; its end kills what still runs."""

    def __init__(self, manager: IOManager, script: str, *arguments: str) -> None:
        self.returncode: int | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        to_read, child_writes = os.pipe()
        child_reads, to_write = os.pipe()
        self.stdout, self.stdin = os.fdopen(to_read), os.fdopen(to_write, "w")
        streams = _Streams(child_reads, child_writes, self._said.fileno())
        self._process = _context().Process(
            target=_run, args=(_program(manager, script), arguments, dict(os.environ), Path.cwd(), streams), daemon=True
        )
        try:
            self._process.start()
        finally:
            os.close(child_reads)
            os.close(child_writes)

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def communicate(self) -> tuple[str, str]:
        """What the script printed, and what it said of its errors, once it has ended; TimeoutError is raised if it does not."""
        self.stdin.close()
        self._process.join(SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"the process {self.pid} did not end within {SECONDS:g} s")
        self.returncode = self._process.exitcode
        with self.stdout, self._said:
            self._said.seek(0)
            return self.stdout.read(), self._said.read().decode(errors="replace")

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.returncode is None:
            self._process.kill()
            self.communicate()


def run_elsewhere(manager: IOManager, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in another process, with the same manager."""
    with Elsewhere(manager, script) as process:
        printed, said = process.communicate()
    assert process.returncode is not None
    return subprocess.CompletedProcess(script, process.returncode, printed, said)


def beside_each_other(manager: IOManager, script: str, *arguments: str) -> None:
    """Run a script in a process for each argument at the same time; all of them have to end well."""
    with ExitStack() as stack:
        running = [stack.enter_context(Elsewhere(manager, script, each)) for each in arguments]
        said = [process.communicate()[1] for process in running]

    assert [process.returncode for process in running] == [0] * len(running), said


def _program(manager: IOManager, script: str) -> str:
    prelude = f"""
        import os, signal
        import polars as pl
        import pyarrow as pa
        from {type(manager).__module__} import {type(manager).__name__}
        from warehouse_assets.resources import EnvVar
        from warehouse_assets.testing.io_manager import *

        manager = {manager!r}
    """
    return textwrap.dedent(prelude) + textwrap.dedent(script)


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PREPARED)
    return context


class _Streams:
    """The files that become stdin, stdout and stderr of a process."""

    def __init__(self, *files: int) -> None:
        self.files = files

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, tuple(DupFd(file) for file in self.files)


def _received(*files: Any) -> _Streams:
    return _Streams(*(file.detach() for file in files))


def _run(program: str, arguments: tuple[str, ...], environment: dict[str, str], folder: Path, streams: _Streams) -> None:
    for number, file in enumerate(streams.files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["elsewhere", *arguments]
    exec(compile(program, "<elsewhere>", "exec"), {"__name__": "__main__"})
