"""`wa check`: evaluate the checks of stored tables, and show how they went."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.failures import failure_line, say_failures
from warehouse_assets.cli.format import console, new_table
from warehouse_assets.cli.options import json_option, load, module_option_across, open_instance, verbose_option
from warehouse_assets.errors import InvalidSelectionError

if TYPE_CHECKING:
    from warehouse_assets.events import AssetCheckEvaluation
    from warehouse_assets.execution.run import RunResult

__all__ = ["check", "check_note", "check_verdict"]

STYLES = {"passed": "green", "warned": "yellow", "failed": "red"}


@click.command()
@click.argument("selection", required=False)
@module_option_across("in turn")
@click.option("--threads", type=click.IntRange(min=1), help="How many checks at once; the number of cores unless given.")
@json_option
@verbose_option
def check(selection: str | None, module: str, threads: int | None, as_json: bool, verbose: bool) -> int:
    """Evaluate the checks of MODULE on the stored tables: all, or those of a SELECTION such as "group:marts". Nothing is made.

    Exit code 0 when all passed or warned, 1 when one failed.
    """
    from warehouse_assets.execution.executors import ThreadExecutor
    from warehouse_assets.graph.check_selection import CheckKeys
    from warehouse_assets.graph.selection import select_checks

    definitions = load(module, verbose=verbose)
    graph = definitions.graph
    chosen = sorted(key for key in select_checks(graph, selection) if graph.checks[key].definition is not None)
    if not chosen:
        what = f"the selection {selection!r} holds" if selection else f"the module {module!r} has"
        raise InvalidSelectionError(f"{what} no checks that are evaluated alone", hint="Declare them with @asset_check.")
    executor = ThreadExecutor(threads) if threads or definitions.executor is None else definitions.executor
    with open_instance(create=True) as instance:
        result = definitions.materialize(CheckKeys(tuple(chosen)), instance=instance, executor=executor, raise_on_error=False)
    evaluations = sorted(result.get_asset_check_evaluations(), key=lambda one: one.asset_check_key)
    failed = any(evaluation.failed for evaluation in evaluations) or not result.success
    evaluated = {evaluation.asset_check_key.to_escaped_string() for evaluation in evaluations}
    crashed = {name: error for name, error in result.failures.items() if name not in evaluated}
    if as_json:
        rows = [*map(_as_json, evaluations), *(_error_as_json(*failure) for failure in crashed.items())]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print(result, evaluations, len(crashed))
        if told := result.failures if verbose else crashed:
            say_failures(told, verbose=verbose)
    return 1 if failed else 0


def check_verdict(evaluation: AssetCheckEvaluation) -> str:
    """How a check went, in a word: passed, warned or failed."""
    return "passed" if evaluation.passed else "failed" if evaluation.failed else "warned"


def check_note(evaluation: AssetCheckEvaluation) -> str:
    """What a check found, in one line."""
    return relative_paths((evaluation.description or "").partition("\n")[0])


def _as_json(evaluation: AssetCheckEvaluation) -> dict[str, Any]:
    from warehouse_assets.metadata import metadata_to_json

    return {
        "asset": evaluation.asset_key.to_user_string(),
        "check": evaluation.check_name,
        "partition": evaluation.partition,
        "result": check_verdict(evaluation),
        "severity": evaluation.severity.value,
        "blocking": evaluation.blocking,
        "description": evaluation.description,
        "metadata": {name: value for name, (_, value) in metadata_to_json(evaluation.metadata).items()},
    }


def _error_as_json(name: str, error: BaseException) -> dict[str, Any]:
    """A check, or several of one function, that could not be evaluated."""
    asset, _, check = name.rpartition(":")
    return {"asset": asset, "check": check, "partition": None, "result": "error", "description": failure_line(error)}


def _print(result: RunResult, evaluations: Iterable[AssetCheckEvaluation], crashed: int) -> None:
    from rich.text import Text

    table = new_table("asset", "check", "", "found")
    counts = dict.fromkeys(STYLES, 0)
    for evaluation in evaluations:
        verdict = check_verdict(evaluation)
        counts[verdict] += 1
        name = evaluation.asset_key.to_user_string() + (f" {evaluation.partition}" if evaluation.partition else "")
        check_name = evaluation.check_name + (" (blocking)" if evaluation.blocking else "")
        table.add_row(name, check_name, Text(verdict, style=STYLES[verdict]), check_note(evaluation))
    out = console()
    out.print(table)
    parts = [f"{count} {verdict}" for verdict, count in counts.items() if count]
    parts += [f"{crashed} not evaluated"] * bool(crashed)
    total = sum(counts.values()) + crashed
    style = "bold red" if counts["failed"] or not result.success else "bold green"
    out.print(f"\n{total} {'check' if total == 1 else 'checks'}: {', '.join(parts)} (run {result.run_id})", style=style)
