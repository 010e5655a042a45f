"""The soak: daemons that work without rest, while daemons, runs and the server of their record are killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil

from tests.soak import server, shop
from tests.soak.faults import faults_of
from warehouse_assets import Instance
from warehouse_assets.automation.reruns import retry_key
from warehouse_assets.errors import InstanceError

ROOT = Path(__file__).parents[2]
VICTIMS = ("daemon", "run", "server")


class Soak:
    """Two daemons and a server, in a folder of their own; what is random depends on `seed`, as far as processes do."""

    def __init__(self, *, seed: int = 0, say: Callable[[str], None] = lambda _: None) -> None:
        self._random = random.Random(seed)
        self._say = say
        self._stack = ExitStack()
        self._daemons: list[subprocess.Popen[bytes]] = []
        self.kills: Counter[str] = Counter()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            made = tempfile.TemporaryDirectory(prefix="wa-soak-", ignore_cleanup_errors=True)
            self._folder = Path(stack.enter_context(made))
            self._folder.chmod(0o755)  # the server may run as somebody else
            (data := self._folder / "server").mkdir()
            self._server = stack.enter_context(server.running(data))
            (self._folder / "shop").mkdir()
            shutil.copy(shop.__file__, self._folder / "shop" / "shop.py")
            stack.callback(self._end_all)
            self.instance = stack.enter_context(Instance.from_url(self._server.database.url, self._folder / "home"))
            self._daemons = [self._daemon() for _ in range(2)]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kill(self, victims: Iterable[str], *, pause: float = 1.0) -> None:
        """Kill one after the other, up to `pause` seconds apart, and bring back what does not come back by itself."""
        self._until(lambda: bool(self.instance.get_runs(limit=1)), 120)
        for victim in victims:
            time.sleep(self._random.uniform(0, pause))
            {"daemon": self._kill_daemon, "run": self._kill_run, "server": self._kill_server}[victim]()
            self.kills[victim] += 1
            self._say(f"{self.kills.total()}: {victim} killed")

    def settle(self, seconds: float = 300) -> None:
        """Ask for no more, and return when every run is over and none is to be tried again."""
        (self._folder / "shop" / shop.ENOUGH).touch()
        while True:
            self._until(self._is_settled, seconds)
            self._until(self._can_be_told_to_end, 60)
            for daemon in self._daemons:
                daemon.send_signal(signal.SIGTERM)
                if daemon.wait(60) != 0:
                    raise ChildProcessError(f"a daemon ended with {daemon.returncode}: {self._log()}")
            if self._is_settled():  # or a run was asked for at the last moment
                return
            self._daemons = [self._daemon() for _ in self._daemons]

    def faults(self) -> list[str]:
        """What is wrong with the record, or with what the assets saw of their runs."""
        witness = self._folder / "shop" / shop.WITNESS
        return faults_of(self.instance, witness.read_text().splitlines() if witness.exists() else [])

    def _daemon(self) -> subprocess.Popen[bytes]:
        with (self._folder / "daemons").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.soak.daemon", str(self._folder / "shop")],
                cwd=ROOT,
                env={**os.environ, **self.instance.environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _revive(self) -> None:
        """Start daemons again that ended because they found no server when they began, as whoever supervises them does."""
        self._daemons = [self._daemon() if daemon.poll() is not None else daemon for daemon in self._daemons]

    def _kill_daemon(self) -> None:
        number = self._random.randrange(len(self._daemons))
        self._daemons[number].kill()
        self._daemons[number].wait()
        self._daemons[number] = self._daemon()

    def _kill_run(self) -> None:
        def is_killed() -> bool:
            for process in self._processes("warehouse_assets.automation.worker"):
                try:
                    process.kill()
                except psutil.NoSuchProcess:  # it ended by itself
                    continue
                return True
            return False

        self._until(is_killed, 60)

    def _kill_server(self) -> None:
        self._server.kill()
        time.sleep(self._random.uniform(0, 0.5))
        self._server.start()

    def _processes(self, module: str | None = None) -> list[psutil.Process]:
        """The processes of runs and evaluations, or those of one module: they have sessions of their own, and outlive daemons."""
        folder, found = str((self._folder / "shop").resolve()), []
        for process in psutil.process_iter():
            try:
                if process.cwd() == folder and (module is None or module in process.cmdline()):
                    found.append(process)
            except psutil.Error:  # somebody else's, or gone
                continue
        return found

    def _is_settled(self) -> bool:
        try:
            runs = self.instance.get_runs()
        except InstanceError:
            return False
        keys = {run.run_key for run in runs}
        return bool(runs) and all(run.ended is not None and (run.status != "FAILURE" or retry_key(run) in keys) for run in runs)

    def _can_be_told_to_end(self) -> bool:
        return all(daemon.poll() is None and (self._folder / f"ready-{daemon.pid}").exists() for daemon in self._daemons)

    def _until(self, met: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not met():
            self._revive()
            if time.monotonic() > deadline:
                raise TimeoutError(self._log())
            time.sleep(0.05)

    def _log(self) -> str:
        return (self._folder / "daemons").read_text(errors="replace")[-4000:]

    def _end_all(self) -> None:
        for daemon in self._daemons:
            daemon.kill()
            daemon.wait()
        for process in self._processes():
            process.kill()
