"""`wa daemon`: evaluate schedules, sensors and conditions, and run what they ask for, until it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.options import modules_option, verbose_option

if TYPE_CHECKING:
    from warehouse_assets.events import CodeLocation

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
    from warehouse_assets.cli.options import open_instance

    if verbose:
        import logging

        logging.basicConfig(level=logging.DEBUG)
    with open_instance(create=True) as instance:
        duties, closing = duties_of(instance, locations, project_settings(Path.cwd()), say=say)
        with Daemon(instance, duties, interval=interval, say=say).on_close(*closing) as working:
            _listen(working, duties["code locations"])
            working.run()
    say("stopped")


def _listen(working: Any, locations: Any) -> None:
    """End on Ctrl-C and SIGTERM, after the round that goes on; load anew on SIGHUP."""

    def end(*_: object) -> None:
        working.end()

    def reload(*_: object) -> None:
        locations.reload()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    signal.signal(signal.SIGHUP, reload)
