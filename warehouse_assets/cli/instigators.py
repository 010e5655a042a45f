"""`wa schedule` and `wa sensor`: which there are, switch them on and off, and try them."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.format import console, new_table
from warehouse_assets.cli.options import (
    current_location,
    json_option,
    load,
    module_option_across,
    open_instance,
    verbose_option,
)

if TYPE_CHECKING:
    from warehouse_assets.automation.evaluation import TickAnswer
    from warehouse_assets.automation.instigators import Instigator
    from warehouse_assets.automation.previews import InstigatorView
    from warehouse_assets.automation_records import InstigatorKind, Tick
    from warehouse_assets.instance import Instance

__all__ = ["schedule", "sensor"]

_NAME = click.argument("name")


@click.group()
def schedule() -> None:
    """List the schedules of a module, switch them on and off, and try them. `wa daemon` evaluates those that are on."""


@click.group()
def sensor() -> None:
    """List the sensors of a module, switch them on and off, and try them. `wa daemon` evaluates those that are on."""


def _list(kind: InstigatorKind, module: str, *, as_json: bool, verbose: bool) -> None:
    from warehouse_assets.automation.previews import views

    definitions = load(module, verbose=verbose)
    with open_instance() as instance:
        found = views(definitions, current_location(module), kind, instance, time.time())
    if as_json:
        click.echo(json.dumps([_as_json(view) for view in found], indent=2, ensure_ascii=False))
        return
    out = console()
    if not found:
        out.print(f"{module} declares no {kind}s.")
        return
    table = new_table(kind, "status", "when", "runs", "next", "last tick")
    for view in found:
        status = "[green]on[/]" if view.status == "RUNNING" else "[dim]off[/]"
        table.add_row(view.name, status, view.when, view.runs, _time(view.next_tick), _tick(view.last_tick))
    out.print(table)
    if any(view.status == "RUNNING" for view in found):
        out.print("Those that are on are evaluated while `wa daemon` runs.", style="dim")


def _as_json(view: InstigatorView) -> dict[str, Any]:
    tick = view.last_tick
    return {**asdict(view), "last_tick": None if tick is None else asdict(tick)}


def _time(moment: float | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}"


def _tick(tick: Tick | None) -> str:
    if tick is None:
        return ""
    if tick.error is not None:
        how = f"failed: {tick.error.message.partition(chr(10))[0]}"
    else:
        how = (
            f"{len(tick.run_ids)} runs" if len(tick.run_ids) > 1 else "1 run" if tick.run_ids else tick.skip_message or "no run"
        )
    return f"{_time(tick.scheduled)}  {how}"


def _switch(kind: InstigatorKind, module: str, name: str, *, on: bool, verbose: bool) -> None:
    from warehouse_assets.automation.instigators import started, stopped

    with open_instance(create=True) as instance:
        one = _wanted(kind, module, name, verbose=verbose)
        changed = started(instance, one, time.time()) if on else stopped(instance, one)
    word = "on" if on else "off"
    click.echo(f"{kind} {name} is {word}" if changed else f"{kind} {name} is {word} already")


def _wanted(kind: InstigatorKind, module: str, name: str, *, verbose: bool) -> Instigator:
    from warehouse_assets.automation.previews import wanted

    return wanted(load(module, verbose=verbose), current_location(module), kind, name)


def _try(module: str, one: Instigator, instance: Instance, scheduled: float, *, submit: bool, verbose: bool) -> TickAnswer:
    """Evaluate it in this process; with `submit`, its runs wait in the record afterwards."""
    from warehouse_assets.automation.evaluation import TickRequest, evaluate_here

    state = one.state(instance)
    request = TickRequest(one.kind, one.declared.name, scheduled, state.cursor, state.last_scheduled)
    answer = evaluate_here(load(module, verbose=verbose), one.location, instance, request)
    if submit and answer.runs:
        instance.event_log.add_runs(answer.runs)
    return answer


def _say_answer(answer: TickAnswer, *, submit: bool, as_json: bool, verbose: bool) -> None:
    if as_json:
        from warehouse_assets.cli.run_text import run_as_json

        error = None if answer.error is None else {"type": answer.error.cls_name, "message": answer.error.message}
        told = {"runs": [run_as_json(run) for run in answer.runs], "skip_message": answer.skip_message}
        click.echo(json.dumps({**told, "cursor": answer.cursor, "error": error}, indent=2, ensure_ascii=False))
        sys.exit(1 if answer.error is not None else 0)
    if answer.error is not None:
        text = answer.error.stack if verbose else f"{answer.error.cls_name}: {answer.error.message}"
        click.echo(f"It raised {text}", err=True)
        sys.exit(1)
    for run in answer.runs:
        tags = ", ".join(f"{name}={value}" for name, value in run.tags.items() if not name.startswith("warehouse_assets/"))
        what = run.job_name or ", ".join(key.to_user_string() for key in run.asset_keys[:5])
        click.echo(
            f"{'waits' if submit else 'would run'}: {what}"
            + (f"  key {run.run_key}" if run.run_key else "")
            + f"  {tags}".rstrip()
        )
    if not answer.runs:
        click.echo(f"no run: {answer.skip_message}")
    if answer.cursor is not None:
        click.echo(f"cursor: {answer.cursor}")


_submit_option = click.option("--submit", is_flag=True, help="Have the runs wait for the daemon; nothing is stored otherwise.")


def _add_common(group: click.Group, kind: InstigatorKind) -> None:
    """The commands that schedules and sensors have in common."""

    @group.command("list")
    @module_option_across("each")
    @json_option
    @verbose_option
    def listed(module: str, as_json: bool, verbose: bool) -> None:
        _list(kind, module, as_json=as_json, verbose=verbose)

    @group.command()
    @_NAME
    @module_option_across("owner")
    @verbose_option
    def start(name: str, module: str, verbose: bool) -> None:
        _switch(kind, module, name, on=True, verbose=verbose)

    @group.command()
    @_NAME
    @module_option_across("owner")
    @verbose_option
    def stop(name: str, module: str, verbose: bool) -> None:
        _switch(kind, module, name, on=False, verbose=verbose)

    @group.command()
    @_NAME
    @module_option_across("owner")
    @click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
    @json_option
    @verbose_option
    def ticks(name: str, module: str, limit: int, as_json: bool, verbose: bool) -> None:
        one = _wanted(kind, module, name, verbose=verbose)
        with open_instance() as instance:
            found = instance.event_log.get_ticks(one.origin, limit=limit)
        if as_json:
            click.echo(json.dumps([asdict(tick) for tick in found], indent=2, ensure_ascii=False))
            return
        for tick in found:
            click.echo(_tick(tick))
        if not found:
            click.echo(f"{kind} {name} was never evaluated")

    listed.help = f"List the {kind}s of MODULE: whether each is on, what it runs, and how its last tick went."
    start.help = f"Switch the {kind} NAME on."
    stop.help = f"Switch the {kind} NAME off; runs that wait or go on are left alone."
    ticks.help = f"Show the latest ticks of the {kind} NAME."


_add_common(schedule, "schedule")
_add_common(sensor, "sensor")


@schedule.command()
@_NAME
@module_option_across("owner")
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="How many times.")
@json_option
@verbose_option
def preview(name: str, module: str, count: int, as_json: bool, verbose: bool) -> None:
    """Show the next times at which the schedule NAME fires, by its own clock."""
    from warehouse_assets.automation.previews import next_times

    declared: Any = _wanted("schedule", module, name, verbose=verbose).declared
    times = [time.isoformat() for time in next_times(declared, time.time(), count)]
    click.echo(json.dumps(times, indent=2) if as_json else "\n".join(times))


@schedule.command()
@_NAME
@module_option_across("owner")
@click.option(
    "--at", metavar="TIME", help="The time that the tick stands for, such as 2024-03-31T04:30; the last one unless given."
)
@_submit_option
@json_option
@verbose_option
def tick(name: str, module: str, at: str | None, submit: bool, as_json: bool, verbose: bool) -> None:
    """Evaluate the schedule NAME here, and show what it asks for."""
    one = _wanted("schedule", module, name, verbose=verbose)
    declared: Any = one.declared
    if at is None:
        now = time.time()
        found = list(declared.ticks_between(now - 370 * 86_400, now))
        scheduled = float(found[-1]) if found else now
    else:
        try:
            local = datetime.fromisoformat(at)
        except ValueError:
            raise click.UsageError(f"{at!r} is no time. Write it as 2024-03-31T04:30.") from None
        zone = declared.local_time(0).tzinfo
        scheduled = (local if local.tzinfo is not None else local.replace(tzinfo=zone)).astimezone(UTC).timestamp()
    with open_instance(create=submit) as instance:
        answer = _try(module, one, instance, scheduled, submit=submit, verbose=verbose)
    _say_answer(answer, submit=submit, as_json=as_json, verbose=verbose)


@sensor.command("tick")
@_NAME
@module_option_across("owner")
@_submit_option
@json_option
@verbose_option
def sensor_tick(name: str, module: str, submit: bool, as_json: bool, verbose: bool) -> None:
    """Evaluate the sensor NAME here, from its cursor on, and show what it asks for; the cursor stays as it is."""
    one = _wanted("sensor", module, name, verbose=verbose)
    with open_instance(create=submit) as instance:
        answer = _try(module, one, instance, time.time(), submit=submit, verbose=verbose)
    _say_answer(answer, submit=submit, as_json=as_json, verbose=verbose)


@sensor.command()
@_NAME
@module_option_across("owner")
@click.option("--set", "text", metavar="TEXT", help="What to begin with the next time.")
@click.option("--clear", is_flag=True, help="Begin anew the next time.")
@json_option
@verbose_option
def cursor(name: str, module: str, text: str | None, clear: bool, as_json: bool, verbose: bool) -> None:
    """Show the cursor of the sensor NAME, or change it."""
    from dataclasses import replace

    one = _wanted("sensor", module, name, verbose=verbose)
    with open_instance(create=text is not None or clear) as instance:
        state = one.state(instance)
        if text is not None or clear:
            state = replace(state, cursor=text)
            if not instance.event_log.set_instigator(state):
                raise click.ClickException(f"sensor {name} was evaluated in this moment; try again.")
    if as_json:
        click.echo(json.dumps({"cursor": state.cursor}, ensure_ascii=False))
    else:
        click.echo("none" if state.cursor is None else state.cursor)
