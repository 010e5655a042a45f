"""`wa web` and `wa dev`: the pages of the web UI, alone or with a daemon beside them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from warehouse_assets.cli.options import modules_option, open_instance
from warehouse_assets.errors import ExtraRequiredError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from warehouse_assets.automation.locations import Locations
    from warehouse_assets.events import CodeLocation
    from warehouse_assets.instance import Instance
    from warehouse_assets.web.settings import Settings
    from warehouse_assets.web.site import Site

__all__ = ["dev", "web"]

_PACKAGES = ("fastapi", "jinja2", "python_multipart", "uvicorn")
TOKEN_VARIABLE = "WAREHOUSE_ASSETS_WEB_TOKEN"
FIRST_PAGE_SECONDS = 2.0


def _server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where to listen, and what to allow."""
    for option in reversed(
        [
            click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
            click.option(
                "--port", type=click.IntRange(0, 65535), default=8642, show_default=True, help="Port; 0 for a free one."
            ),
            click.option(
                "--allow-host", "hosts", metavar="NAME", multiple=True, help="Another name by which browsers call this server."
            ),
            click.option("--no-samples", "samples", flag_value=False, default=True, help="Show no rows of tables."),
            click.option("--no-sql", "sql", flag_value=False, default=True, help="Have no SQL page."),
            click.option("--read-only", is_flag=True, help="Show, and change nothing."),
        ]
    ):
        command = option(command)
    return command


@click.command()
@modules_option
@_server_options
def web(locations: Sequence[CodeLocation], **options: Any) -> None:
    """Serve the pages of the web UI until it is stopped by Ctrl-C or SIGTERM.

    Runs that are asked for wait for a daemon (`wa daemon`). Where others can reach the address, WAREHOUSE_ASSETS_WEB_TOKEN has to hold a token
    of 16 characters or more, which the pages ask for.
    """
    _serve(locations, options, opened=False, daemon=False)


@click.command()
@modules_option
@_server_options
@click.option("--open/--no-open", "opened", default=None, help="Open a browser; by default where there is a terminal.")
def dev(locations: Sequence[CodeLocation], opened: bool | None, **options: Any) -> None:
    """Serve the pages of the web UI, with a daemon that runs what they, schedules and sensors ask for. For one's own machine."""
    _serve(locations, options, opened=sys.stdout.isatty() if opened is None else opened, daemon=True)


def _serve(locations: Sequence[CodeLocation], options: dict[str, Any], *, opened: bool, daemon: bool) -> None:
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise ExtraRequiredError(
            f"the web UI needs what is not installed: {', '.join(missing)}", hint='pip install "warehouse-assets[web]"'
        )
    from warehouse_assets.web.serving import listening_socket, serve
    from warehouse_assets.web.settings import Settings

    settings = Settings(token=os.environ.get(TOKEN_VARIABLE) or None, **options)
    with listening_socket(settings) as listener, ExitStack() as stack:
        port = listener.getsockname()[1]
        shown = "localhost" if settings.host == "127.0.0.1" else settings.host
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        click.echo(f"{address} (Ctrl-C stops it)")
        if opened:
            threading.Thread(target=click.launch, args=[address], daemon=True).start()
        serve(partial(_application, stack, locations, settings, daemon), listener, settings)


def _application(stack: ExitStack, locations: Sequence[CodeLocation], settings: Settings, daemon: bool) -> FastAPI:
    """What is served, with the processes that load the code beside it, until the stack is closed."""
    from warehouse_assets.code_location.workspace import Workspace
    from warehouse_assets.web.site import Site

    instance = stack.enter_context(open_instance(create=True))
    workspace = Workspace(locations, environment=instance.environment)
    site = Site(workspace, instance, settings)
    stack.callback(site.close)
    site.start()
    from warehouse_assets.web.app import create_app  # which takes as long as the processes that load the code meanwhile

    app = create_app(site, is_guarded=True)
    if daemon:
        stack.enter_context(_daemon(site, instance, locations))
    return app


@contextmanager
def _daemon(site: Site, instance: Instance, locations: Sequence[CodeLocation]) -> Iterator[None]:
    """A daemon in a thread beside the server. What it begins with takes all there is of a small machine, so that the first page comes before it."""
    from warehouse_assets.automation.daemon import Daemon, duties_of
    from warehouse_assets.automation.settings import project_settings
    from warehouse_assets.cli.daemon import say
    from warehouse_assets.web.views.launch import prepare

    duties, closing = duties_of(instance, locations, project_settings(Path.cwd()), spares=True, say=say)
    with Daemon(instance, duties, quick=duties["the queue"], interval=0.25, say=say).on_close(*closing) as working:
        wanted = threading.Event()

        def begin() -> None:
            with suppress(TimeoutError):
                site.wait(5.0)
                wanted.wait(FIRST_PAGE_SECONDS)
            threading.Thread(target=prepare, args=[site], daemon=True, name="preparing").start()
            working.run()

        def submitted() -> None:
            wanted.set()
            working.wake()

        site.on_submit, site.on_reload = submitted, cast("Locations", duties["code locations"]).reload
        thread = threading.Thread(target=begin, daemon=True, name="daemon")
        thread.start()
        try:
            yield
        finally:
            wanted.set()
            working.end()
            thread.join(10)
