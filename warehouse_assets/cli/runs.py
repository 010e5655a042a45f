"""`wa runs`: what ran, how it went and what it said; and runs that wait, are canceled, or done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from warehouse_assets.cli.format import ago, console, count_text, new_table, seconds_text
from warehouse_assets.cli.options import (
    current_location,
    json_option,
    load,
    module_option_across,
    open_instance,
    tag_option,
    verbose_option,
)
from warehouse_assets.cli.partitions import chosen_partitions, partition_options
from warehouse_assets.cli.run_text import event_as_json, line_of, printed_lines, run_as_json, step_as_json

__all__ = ["runs"]

_STATUSES = ("queued", "starting", "started", "canceling", "success", "failure", "canceled")
_STYLES = {"SUCCESS": "green", "FAILURE": "red", "CANCELED": "yellow", "success": "green", "failure": "red", "fresh": "green"}


_now_option = click.option("--now", is_flag=True, help="Start its process at once, instead of waiting for a daemon to do so.")


@click.group()
def runs() -> None:
    """Show runs and what they said, cancel them, and have them done again.

    A RUN is named by its id, or by the first letters of it.
    """


@runs.command("list")
@click.option("--status", "statuses", type=click.Choice(_STATUSES), multiple=True, help="Only those of this status.")
@click.option("-j", "--job", "job_name", metavar="NAME", help="Only those of this job.")
@tag_option("Only those that have this tag.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the last ones first.")
@json_option
@verbose_option
def list_runs(
    statuses: Sequence[str], job_name: str | None, tags: dict[str, str], limit: int, as_json: bool, verbose: bool
) -> None:
    """List the last runs."""
    from warehouse_assets.automation.runs import Runs

    wanted: Any = [status.upper() for status in statuses]
    with open_instance() as instance:
        found = Runs(instance).recent(statuses=wanted, job_name=job_name, tags=tags, limit=limit)
    if as_json:
        click.echo(json.dumps([run_as_json(run) for run in found], indent=2, ensure_ascii=False))
        return
    from rich.text import Text

    table = new_table("run", "status", "job", "assets", "asked for", "took", numeric=("assets", "took"))
    for run in found:
        took = seconds_text(run.ended - run.started) if run.ended is not None and run.started is not None else ""
        status = Text(run.status.lower(), _STYLES.get(run.status, ""))
        table.add_row(run.run_id, status, run.job_name or "", count_text(len(run.asset_keys)), ago(run.created), took)
    console().print(table)


@runs.command()
@click.argument("run")
@json_option
@verbose_option
def show(run: str, as_json: bool, verbose: bool) -> None:
    """Show one run: what it was to make, its tags, and how its steps went."""
    from warehouse_assets.automation.runs import Runs

    with open_instance() as instance:
        asked = Runs(instance)
        found = asked.find(run)
        steps, error = asked.steps(found), asked.error(found)
    if as_json:
        told = {**run_as_json(found), "error": error, "steps": [step_as_json(step) for step in steps]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    from rich.text import Text

    out = console()
    facts = run_as_json(found)
    shown = {
        "run": found.run_id,
        "status": found.status.lower(),
        "error": error,
        "job": found.job_name,
        "asked for": ago(found.created),
    }
    shown |= {"location": facts["location"] and facts["location"]["module"], "run key": found.run_key}
    for name, value in shown.items():
        if value:
            out.print(f"{name:10} {value}", soft_wrap=True)
    for name, text in sorted(found.tags.items()):
        out.print(f"{'tag':10} {name}={text}", soft_wrap=True)
    table = new_table("step", "status", "took", "attempts", "note", numeric=("took", "attempts"))
    for step in steps:
        took = seconds_text(step.ended - step.started) if step.ended is not None and step.started is not None else ""
        table.add_row(step.key, Text(step.status, _STYLES.get(step.status, "")), took, str(step.attempts), step.message or "")
    if steps:
        out.print()
        out.print(table)


@runs.command()
@click.argument("run")
@click.option("--step", metavar="STEP", help="Only what this step did and printed.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
@json_option
@verbose_option
def logs(run: str, step: str | None, follow: bool, as_json: bool, verbose: bool) -> None:
    """Show what happened in a run and what was printed there, as it comes with --follow.

    With --json each line is an object, and each event has an "id" that grows.
    """
    from warehouse_assets.automation.runs import Printed, Runs

    with open_instance() as instance:
        asked = Runs(instance)
        for item in asked.follow(asked.find(run), step, wait=follow):
            if as_json:
                told = event_as_json(item) if not isinstance(item, Printed) else _printed_as_json(item)
                click.echo(json.dumps(told, ensure_ascii=False))
            elif isinstance(item, Printed):
                for line in printed_lines(item):
                    click.echo(line)
            else:
                click.echo(line_of(item))


def _printed_as_json(item: Any) -> dict[str, Any]:
    return {"step": item.step_key, "stream": item.stream, "text": item.text}


@runs.command()
@click.argument("run_names", metavar="RUN...", nargs=-1, required=True)
@verbose_option
def cancel(run_names: Sequence[str], verbose: bool) -> None:
    """Cancel runs: those that wait never begin, those that run start nothing more and come to their end."""
    from warehouse_assets.automation.runs import Runs

    with open_instance() as instance:
        asked = Runs(instance)
        for run in [asked.find(name) for name in run_names]:
            answers = {"canceled": "is canceled", "canceling": "is coming to its end", "over": "is over already"}
            click.echo(f"Run {run.run_id} {answers[asked.cancel(run)]}.")


@runs.command()
@click.argument("run")
@click.option("--from-failure", is_flag=True, help="Only the steps that failed or did not run.")
@tag_option("A tag for the new run.")
@_now_option
@verbose_option
def rerun(run: str, from_failure: bool, tags: dict[str, str], now: bool, verbose: bool) -> None:
    """Do again what a run did, or with --from-failure what it left undone, in a new run with its configuration and partitions."""
    from warehouse_assets.automation.runs import Runs

    with open_instance() as instance:
        asked = Runs(instance)
        again = asked.rerun(asked.find(run), from_failure=from_failure, tags=tags)
        _say_added(asked, again, now=now)


@runs.command()
@module_option_across("in turn")
@click.option("-s", "--select", "selection", metavar="SELECTION", help='Which assets, such as "+marts/orders".')
@click.option("-j", "--job", "job_name", metavar="NAME", help="The assets of this job, with its configuration and tags.")
@partition_options
@click.option("-c", "--config", metavar="JSON|FILE", help="Run configuration: JSON, or a .json or .toml file with it.")
@tag_option("A tag for the run, such as warehouse_assets/priority=5.")
@_now_option
@verbose_option
def submit(
    module: str,
    selection: str | None,
    job_name: str | None,
    partition: str | None,
    partition_range: str | None,
    config: str | None,
    tags: dict[str, str],
    now: bool,
    verbose: bool,
) -> None:
    """Have assets of MODULE made by a run in a process of its own, which waits for its turn in the queue.

    What cannot run is refused now: unknown assets, partitions and configuration.
    """
    from warehouse_assets.automation.runs import Runs
    from warehouse_assets.automation.submission import run_for
    from warehouse_assets.cli.materialize import read_config

    definitions = load(module, verbose=verbose)
    with open_instance(create=True) as instance:
        run = run_for(
            definitions,
            current_location(module),
            job_name=job_name,
            selection=selection,
            run_config=read_config(config),
            tags=tags,
            instance=instance,
            **chosen_partitions(partition, partition_range),
        )
        instance.event_log.add_runs([run])
        _say_added(Runs(instance), run, now=now)


def _say_added(asked: Any, run: Any, *, now: bool) -> None:
    if now:
        asked.start(run)
    click.echo(f"Run {run.run_id} {'is started' if now else 'waits'}. `wa runs logs -f {run.run_id}` follows it.")
