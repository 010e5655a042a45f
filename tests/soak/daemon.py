"""The daemon of the soak: as `wa daemon`, and quicker to take somebody for dead: `python -m tests.soak.daemon FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from warehouse_assets import Instance
from warehouse_assets.automation.daemon import Daemon
from warehouse_assets.automation.locations import Locations, location_of
from warehouse_assets.automation.monitoring import MonitoringSettings, RunMonitoring
from warehouse_assets.automation.processes import RunProcesses
from warehouse_assets.automation.queue import QueueSettings, RunQueue

LEASE_SECONDS = 2.0
SETTINGS = MonitoringSettings(heartbeat_limit=20.0, start_limit=20.0, start_attempts=100)


def main(folder: str) -> None:
    """Work until SIGTERM comes."""
    with Instance.get() as instance:
        processes = RunProcesses(instance)
        locations = Locations(instance, [location_of("shop.py", Path(folder))], say=_say)
        duties = {
            "code locations": locations,
            "queue": RunQueue(instance, processes, QueueSettings(2)),
            "monitoring": RunMonitoring(instance, processes, SETTINGS),
        }
        daemon = Daemon(instance, duties, interval=0.1, lease_seconds=LEASE_SECONDS, say=_say)
        with daemon.on_close(locations.close, processes.close):
            signal.signal(signal.SIGTERM, lambda *_: daemon.end())
            Path(folder).with_name(f"ready-{os.getpid()}").touch()
            daemon.run()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
