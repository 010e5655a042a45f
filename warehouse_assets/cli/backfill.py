"""`wa backfill`: many partitions, in runs of their own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.format import ago, console, count_text, new_table, seconds_text
from warehouse_assets.cli.options import (
    current_location,
    json_option,
    load,
    module_option_across,
    open_instance,
    verbose_option,
)
from warehouse_assets.cli.partitions import chosen_partitions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_assets.automation.backfill_requests import WhichPartitions
    from warehouse_assets.automation_records import Backfill
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.instance import Instance

__all__ = ["backfill"]

SHOWN_FAILURES = 10

_STYLES = {"COMPLETED": "green", "FAILED": "red", "CANCELED": "yellow", "CANCELING": "yellow"}
_COUNTS = ("requested", "waiting", "in_progress", "done", "failed", "canceled")

wait_option = click.option("--wait", is_flag=True, help="Make it here, one run after the other, without the daemon.")


@click.group()
def backfill() -> None:
    """Make many partitions of assets, in runs of their own: upstream before downstream."""


@backfill.command(short_help="Ask for partitions to be made.")
@module_option_across("in turn")
@click.option("-s", "--select", "selection", metavar="SELECTION", help='Which assets, such as "orders+" or "group:marts".')
@click.option("--partition", "partitions", metavar="KEY", multiple=True, help="A partition; can be given several times.")
@click.option("--partition-range", metavar="START...END", help="The partitions from one to another, both included.")
@click.option("--all", "everything", is_flag=True, help="All partitions.")
@click.option("--missing", is_flag=True, help="Only what was never made.")
@click.option("--failed", is_flag=True, help="Only what a run failed to make, and none has made since.")
@click.option("--partitions-of", "of", metavar="KEY", help="Whose partitions are meant; of the first asset unless given.")
@click.option("--max-runs", type=click.IntRange(min=1), help="How many of its runs are queued or running at once.")
@click.option("-t", "--tag", "tags", metavar="NAME=VALUE", multiple=True, help="A tag of its runs; can be given several times.")
@click.option("-c", "--config", metavar="JSON|FILE", help="Run configuration: JSON, or a .json or .toml file with it.")
@wait_option
@json_option
@verbose_option
def start(
    module: str,
    selection: str | None,
    partitions: tuple[str, ...],
    partition_range: str | None,
    everything: bool,
    missing: bool,
    failed: bool,
    of: str | None,
    max_runs: int | None,
    tags: tuple[str, ...],
    config: str | None,
    wait: bool,
    as_json: bool,
    verbose: bool,
) -> int:
    """Ask for partitions of the assets of MODULE to be made; the daemon makes them, or, with --wait, this command.

    Assets that are partitioned otherwise than the first are made for what goes with its partitions. Exit code 0 when it was asked
    for, or all was made; 1 when something failed.
    """
    from warehouse_assets.automation.backfill_requests import request_backfill
    from warehouse_assets.automation.backfill_runs import runs_of
    from warehouse_assets.cli.materialize import read_config

    which = _which(partitions, partition_range, of, everything=everything, missing=missing, failed=failed)
    definitions = load(module, verbose=verbose)
    with open_instance(create=True) as instance:
        asked = request_backfill(
            definitions.graph,
            instance,
            selection,
            which,
            now=time.time(),
            location=current_location(module),
            max_runs=max_runs,
            run_config=read_config(config),
            tags=_tags(tags),
            here=wait,
            make_run=runs_of(definitions, instance),
        )
        return _proceed(definitions, instance, asked, wait=wait, as_json=as_json)


@backfill.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the latest first.")
@json_option
@verbose_option
def list_backfills(limit: int, as_json: bool, verbose: bool) -> None:
    """List the backfills, the latest first."""
    from warehouse_assets.automation.backfill_questions import backfill_facts

    with open_instance() as instance:
        facts = [backfill_facts(each) for each in instance.event_log.get_backfills(limit=limit)]
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    if not facts:
        click.echo("There is none. `wa backfill start` asks for one.")
        return
    table = new_table(
        "backfill", "status", "asked for", "assets", "partitions", "done", "failed", numeric=("partitions", "done", "failed")
    )
    for each in facts:
        counts = each["partitions"]
        numbers = (count_text(counts.get(name, 0)) for name in ("requested", "done", "failed"))
        table.add_row(each["backfill_id"], _status(each["status"]), ago(each["created"]), ", ".join(each["assets"]), *numbers)
    console().print(table)


@backfill.command(short_help="Show how far a backfill is.")
@click.argument("backfill_id", metavar="BACKFILL")
@json_option
@verbose_option
def show(backfill_id: str, as_json: bool, verbose: bool) -> None:
    """Show how far BACKFILL is: its id, or the beginning of it."""
    from warehouse_assets.automation.backfill_requests import get_backfill

    with open_instance() as instance:
        _show(instance, get_backfill(instance, backfill_id), as_json=as_json)


@backfill.command(short_help="Stop a backfill.")
@click.argument("backfill_id", metavar="BACKFILL")
@json_option
@verbose_option
def cancel(backfill_id: str, as_json: bool, verbose: bool) -> None:
    """Stop BACKFILL: nothing more of it begins, what is queued is taken back, and what runs is stopped."""
    from warehouse_assets.automation.backfill_requests import cancel_backfill

    with open_instance() as instance:
        canceled = cancel_backfill(instance, backfill_id, time.time())
        if as_json:
            _show(instance, canceled, as_json=True)
        else:
            over = canceled.status == "CANCELED"
            click.echo(
                f"Backfill {canceled.backfill_id} is {'canceled' if over else 'stopped: it is canceled once its runs have ended'}."
            )


@backfill.command(short_help="Go on with what failed or was not made.")
@click.argument("backfill_id", metavar="BACKFILL")
@click.option("-m", "--module", metavar="MODULE", help="Where its assets are declared, for --wait.")
@wait_option
@json_option
@verbose_option
def resume(backfill_id: str, module: str | None, wait: bool, as_json: bool, verbose: bool) -> int:
    """Have BACKFILL go on with what failed, was canceled or was not reached."""
    from warehouse_assets.automation.backfill_requests import resume_backfill

    if wait and module is None:
        raise click.UsageError("--wait needs --module.")
    definitions = load(module, verbose=verbose) if module is not None else None
    with open_instance() as instance:
        asked = resume_backfill(instance, backfill_id, time.time(), here=wait)
        return _proceed(definitions, instance, asked, wait=wait, as_json=as_json)


def _which(
    keys: tuple[str, ...], partition_range: str | None, of: str | None, *, everything: bool, missing: bool, failed: bool
) -> WhichPartitions:
    from warehouse_assets.automation.backfill_requests import WhichPartitions

    if everything and (keys or partition_range):
        raise click.UsageError("--all and partitions are both given.")
    if missing and failed:
        raise click.UsageError("--missing and --failed are both given.")
    if not (keys or partition_range or everything or missing or failed):
        raise click.UsageError("Say which partitions: --partition, --partition-range, --all, --missing or --failed.")
    key_range = chosen_partitions(None, partition_range)["partition_key_range"]
    return WhichPartitions(keys, key_range, of, missing, failed)


def _tags(given: tuple[str, ...]) -> Mapping[str, str]:
    tags = {}
    for text in given:
        name, joint, value = text.partition("=")
        if not (name and joint):
            raise click.UsageError(f"--tag is {text!r}. Write NAME=VALUE.")
        tags[name] = value
    return tags


def _proceed(definitions: Definitions | None, instance: Instance, asked: Backfill, *, wait: bool, as_json: bool) -> int:
    """Say that it was asked for, or make it."""
    from warehouse_assets.automation.backfill_questions import backfill_facts

    if wait and definitions is not None:
        return _make(definitions, instance, asked, as_json=as_json)
    if as_json:
        click.echo(json.dumps(backfill_facts(asked), indent=2, ensure_ascii=False))
        return 0
    facts = backfill_facts(asked)
    number, assets = facts["partitions"].get("requested", 0), len(facts["assets"])
    click.echo(
        f"Backfill {asked.backfill_id} is asked for: {count_text(number)} partition{'' if number == 1 else 's'} "
        f"of {assets} asset{'' if assets == 1 else 's'}."
    )
    click.echo(f"The daemon makes it. To see how far it is: wa backfill show {asked.backfill_id}")
    return 0


def _make(definitions: Definitions, instance: Instance, asked: Backfill, *, as_json: bool) -> int:
    from warehouse_assets.automation.backfill_requests import get_backfill
    from warehouse_assets.automation.backfill_runs import make_backfill

    try:
        with _progress() as told:
            done = make_backfill(definitions, instance, asked, told=told)
    except KeyboardInterrupt:
        _show(instance, get_backfill(instance, asked.backfill_id), as_json=as_json)
        return 130
    _show(instance, done, as_json=as_json)
    return 0 if done.status == "COMPLETED" else 1


@contextmanager
def _progress() -> Iterator[Callable[[Backfill], None]]:
    """A bar while a backfill is made, on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from warehouse_assets.automation.backfill_body import BackfillBody

    out = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("partitions", total=None)

        def told(backfill: Backfill) -> None:
            counts = BackfillBody.of(backfill).counts
            failed = f", {count_text(counts['failed'])} failed" if counts.get("failed") else ""
            over = counts.get("done", 0) + counts.get("failed", 0)
            bar.update(task, total=counts.get("requested"), completed=over, description=f"partitions{failed}")

        yield told


def _show(instance: Instance, backfill: Backfill, *, as_json: bool) -> None:
    from warehouse_assets.automation.backfill_questions import backfill_facts, failed_runs

    facts = backfill_facts(backfill)
    failed = failed_runs(instance, backfill, SHOWN_FAILURES)
    if as_json:
        click.echo(json.dumps({**facts, "failed_runs": failed}, indent=2, ensure_ascii=False))
        return
    out = console()
    took = f" after {seconds_text(facts['ended'] - facts['created'])}" if facts["ended"] is not None else ""
    out.print(
        f"Backfill {backfill.backfill_id}: ",
        _status(f"{backfill.status}"),
        f"{took}, asked for {ago(facts['created'])}",
        sep="",
    )
    if facts["error"]:
        out.print(f"Error: {facts['error']}", soft_wrap=True)
    table = new_table(
        "asset", *(name.replace("_", " ") for name in _COUNTS), numeric=tuple(name.replace("_", " ") for name in _COUNTS)
    )
    for name, counts in facts["assets"].items():
        table.add_row(name, *(count_text(counts.get(each, 0)) for each in _COUNTS))
    out.print(table)
    for run in failed:
        of = f" ({run['partition']})" if run["partition"] is not None else ""
        out.print(f"Run {run['run_id']}{of} failed: {run['error'] or 'it says nothing of why'}", soft_wrap=True)
    if backfill.status in ("FAILED", "CANCELED"):
        out.print(f"To go on with what is not made: wa backfill resume {backfill.backfill_id}", soft_wrap=True)


def _status(status: str) -> Any:
    from rich.text import Text

    return Text(status.lower(), _STYLES.get(status, ""))
