"""`wa materialize`: make assets, and show it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.failures import say_failures
from warehouse_assets.cli.format import console
from warehouse_assets.cli.options import current_location, load, module_option_across, open_instance, tag_option, verbose_option
from warehouse_assets.cli.partitions import all_at_once, chosen_partitions, partition_options
from warehouse_assets.cli.progress import RunDisplay
from warehouse_assets.errors import InvalidConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.keys import AssetKey

__all__ = ["materialize", "read_config"]


@click.command()
@module_option_across("in turn")
@click.option(
    "-s", "--select", "selection", metavar="SELECTION", help='Which assets, such as "+marts/orders" or "group:marts".'
)
@click.option("-j", "--job", "job_name", metavar="NAME", help="The assets of this job, run with its configuration and tags.")
@partition_options
@click.option("-c", "--config", metavar="JSON|FILE", help="Run configuration: JSON, or a .json or .toml file with it.")
@tag_option("A tag of the run; may be given several times.")
@click.option("--stale", "only_stale", is_flag=True, help="Only what is missing, or whose code or inputs changed since.")
@click.option("--threads", type=click.IntRange(min=1), help="How many assets at once; the number of cores unless given.")
@verbose_option
def materialize(
    module: str,
    selection: str | None,
    job_name: str | None,
    partition: str | None,
    partition_range: str | None,
    config: str | None,
    tags: dict[str, str],
    only_stale: bool,
    threads: int | None,
    verbose: bool,
) -> int:
    """Make the assets of MODULE, or a selection of them, in the order of their dependencies.

    Exit code 0 when all were made, 1 when one failed, 2 when the run cannot start, 130 after Ctrl-C.
    """
    from warehouse_assets.execution.executors import ThreadExecutor
    from warehouse_assets.execution.plan import Plan
    from warehouse_assets.graph.selection import exactly, select_checks, select_executable

    definitions = load(module, verbose=verbose)
    job = definitions.get_job_def(job_name) if job_name is not None else None
    selected = job.select(selection) if job is not None else select_executable(definitions.graph, selection)
    checks = job.select_checks(selection) if job is not None else select_checks(definitions.graph, selection)
    partitions = chosen_partitions(partition, partition_range)
    if partition is None and partition_range is None:
        partitions |= all_at_once(definitions.graph, selected)
    if only_stale:
        if not (selected := _to_refresh(definitions, selected, partitions)):
            return 0
        checks &= definitions.graph.checks_of(selected)
        if not any(definitions.graph[key].spec.partitions_def for key in selected):
            partitions = {}  # all that is partitioned is fresh
    plan = Plan.build(definitions.graph, selected, checks)
    alone = [step.key for step in plan.steps if not step.outputs]
    declared = job.executor if job is not None else definitions.executor
    executor = ThreadExecutor(threads) if threads or declared is None else declared
    if job is not None:
        execute = partial(job.execute, selected, checks=checks)
    else:
        execute = partial(definitions.materialize, exactly(selected, checks))
    out = console()
    with (
        open_instance(create=True) as instance,
        RunDisplay(out, len(plan.steps) - len(alone), alone) as display,
        _log_lines(out),
    ):
        try:
            result = execute(
                instance=instance,
                run_config=read_config(config),
                tags=tags,
                **partitions,
                raise_on_error=False,
                executor=executor,
                only_stale=only_stale,
                listeners=[display],
                heartbeat="own",
                location=current_location(module),
            )
        except KeyboardInterrupt:
            display.__exit__()
            _say_canceled(out, display)
            return 130
    display.summary(result.run_id, "Success" if result.success else "Failure")
    if not result.success:
        say_failures(result.failures, verbose=verbose)
    return 0 if result.success else 1


def _to_refresh(definitions: Definitions, selected: Collection[AssetKey], partitions: dict[str, Any]) -> set[AssetKey]:
    """The selected assets that may have to be made; where there are none, that is said."""
    from warehouse_assets.cli.status import nothing_to_do
    from warehouse_assets.execution.partitions import choose_partitions
    from warehouse_assets.execution.plan import Plan
    from warehouse_assets.execution.status import asset_statuses
    from warehouse_assets.execution.versions import keys_to_refresh

    graph = definitions.graph
    with open_instance() as instance:
        chosen = choose_partitions(graph, Plan.build(graph, selected), **partitions, store=instance)
        wanted = keys_to_refresh(graph, selected, instance, chosen)
        if not wanted:
            found = asset_statuses(graph, selected, instance, chosen.keys if chosen is not None else None)
            console().print(nothing_to_do(found), style="bold green", soft_wrap=True)
    return wanted


class _log_lines:
    """While the block lasts, log records of the project are lines among those of the display."""

    def __init__(self, out: Console) -> None:
        self.handler = _ConsoleHandler(out)
        self.logger = logging.getLogger("warehouse_assets")

    def __enter__(self) -> None:
        self.logger.addHandler(self.handler)

    def __exit__(self, *_: object) -> None:
        self.logger.removeHandler(self.handler)


class _ConsoleHandler(logging.Handler):
    def __init__(self, out: Console) -> None:
        super().__init__()
        self.out = out

    def emit(self, record: logging.LogRecord) -> None:
        self.out.print(f"{record.levelname.lower():<8} {record.getMessage()}", soft_wrap=True, style="yellow")


def read_config(text: str | None) -> Any:
    """The run configuration that `--config` gives: JSON, or a file with it."""
    if text is None:
        return None
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        path = Path(text)
        if not path.is_file():
            raise InvalidConfigError(f"--config: there is no file {text!r}", hint='Give a file, or JSON such as {"ops": {…}}.')
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            import tomllib

            return tomllib.loads(content)
        return json.loads(content)
    except ValueError as error:
        if isinstance(error, InvalidConfigError):
            raise
        raise InvalidConfigError(f"--config cannot be read: {error}") from None


def _say_canceled(out: Console, display: RunDisplay) -> None:
    done = [view.name for view in display.views.values() if view.status == "done"]
    out.print(f"\nCanceled: {len(done)} of {display.steps} assets made", style="bold yellow")
    if done:
        out.print("  " + ", ".join(done), soft_wrap=True)
