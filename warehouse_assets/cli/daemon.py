"""`wa daemon`: evaluate schedules, sensors and conditions, and run what they ask for, until it is stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.options import modules_option, verbose_option
from warehouse_assets.errors import ExtraRequiredError, InvalidConfigError
from warehouse_assets.events import error_line

if TYPE_CHECKING:
    from warehouse_assets.events import CodeLocation
    from warehouse_assets.instance import Instance

__all__ = ["daemon", "say"]


def say(text: str) -> None:
    """A line of the daemon, with the time."""
    click.echo(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}")  # noqa: DTZ005 - people read their own clock


@click.command()
@modules_option
@click.option("--interval", type=click.FloatRange(min=0.05), default=1.0, show_default=True, help="Seconds between two rounds.")
@verbose_option
def daemon(locations: Sequence[CodeLocation], interval: float, verbose: bool) -> None:
    """Evaluate the schedules and sensors of MODULE that are on, start the runs that wait, and look after those that run.

    The code of each MODULE is loaded in a process of its own: one that is broken, hangs or crashes harms none of the others. Runs until it is stopped by Ctrl-C or SIGTERM; runs that go on are left to themselves. Several may run for one instance: one works, the
    others stand by. SIGHUP loads the code anew.
    """
    from warehouse_assets.automation.daemon import Daemon, duties_of
    from warehouse_assets.automation.settings import project_settings

    if verbose:
        import logging

        logging.basicConfig(level=logging.DEBUG)
    with _record_in_reach() as instance:
        duties, closing = duties_of(instance, locations, project_settings(Path.cwd()), say=say)
        with Daemon(instance, duties, interval=interval, say=say).on_close(*closing) as working:
            _listen(working, duties["code locations"])
            working.run()
    say("stopped")


def _record_in_reach(wait: Callable[[float], None] = time.sleep) -> Instance:
    """The record of the project; while it is out of reach, that is told and tried again after pauses that grow to a minute."""
    from warehouse_assets.cli.options import open_instance

    pause, told = 1.0, None
    while True:
        try:
            instance = open_instance(create=True)
            instance.get_runs(limit=1)
        except (InvalidConfigError, ExtraRequiredError):
            raise
        except Exception as error:  # noqa: BLE001 - of the server of the record, or the way there
            if (text := error_line(error)) != told:
                say(f"the record is out of reach, and is tried again: {text}")
            told = text
            wait(pause)
            pause = min(2 * pause, 60.0)
        else:
            return instance


def _listen(working: Any, locations: Any) -> None:
    """End on Ctrl-C and SIGTERM, after the round that goes on; load anew on SIGHUP."""

    def end(*_: object) -> None:
        working.end()

    def reload(*_: object) -> None:
        locations.reload()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    signal.signal(signal.SIGHUP, reload)
