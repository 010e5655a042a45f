"""`wa automation`: why automation conditions ask for an asset, or do not."""

from __future__ import annotations

import json
import time

import click

from warehouse_assets.cli.format import console
from warehouse_assets.cli.options import (
    current_location,
    find_key,
    json_option,
    load,
    module_option_across,
    open_instance,
    verbose_option,
)

__all__ = ["automation"]


@click.group()
def automation() -> None:
    """What the automation conditions of assets ask for."""


@automation.command()
@click.argument("key")
@module_option_across("owner")
@json_option
@verbose_option
def explain(key: str, module: str, as_json: bool, verbose: bool) -> None:
    """Say whether the condition of the asset KEY of MODULE asks for it now, and why. Nothing is made or recorded.

    Each line is a part of the condition: whether it is true, of which of the partitions, and in brackets of which other table it is
    asked.
    """
    from warehouse_assets.automation.condition_text import partitions_text, result_facts, result_lines
    from warehouse_assets.automation.conditions import condition_sensors, sensor_of

    definitions = load(module, verbose=verbose)
    asset_key = find_key(definitions, key)
    with open_instance() as instance:
        sensors = condition_sensors(definitions, current_location(module), instance)
        sensor = sensor_of(asset_key, sensors, definitions.graph)
        state = sensor.state
        evaluation = sensor.evaluate(time.time(), state, explain=[asset_key])
    result = evaluation.results[asset_key]
    requested = evaluation.requested.get(asset_key, frozenset())
    name = asset_key.to_user_string()
    if as_json:
        facts = {
            "key": name,
            "requested": bool(requested),
            "partitions": None if None in result.asked else sorted(map(str, requested)),
            "sensor": sensor.declared.name,
            "status": state.status,
            "last_evaluated": state.last_scheduled,
            "condition": result_facts(result),
        }
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    out = console()
    what = "" if None in requested or not requested else f": {partitions_text(requested)}"
    out.print(f"{name} is {'' if requested else 'not '}asked for now{what}", style="bold", soft_wrap=True)
    if state.status != "RUNNING":
        out.print(
            f"The sensor {sensor.declared.name} is off: nothing is asked for until it is on.", style="yellow", soft_wrap=True
        )
    elif state.cursor is None:
        out.print(f"The sensor {sensor.declared.name} has not evaluated it yet.", style="yellow", soft_wrap=True)
    out.print()
    for true, line in result_lines(result, name):
        out.print(line, style="green" if true else None, soft_wrap=True)
