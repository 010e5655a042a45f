"""`wa test`: run the tests that are written beside SQL, on tables that are given, and show what differs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.format import console
from warehouse_assets.cli.options import json_option, load, module_option, verbose_option
from warehouse_assets.errors import InvalidSelectionError

if TYPE_CHECKING:
    from warehouse_assets.asset_tests.cases import AssetTest

__all__ = ["test"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went: what was wrong, None where nothing was, and how many seconds it took."""

    test: AssetTest
    fault: str | None
    seconds: float
    error: BaseException | None = None

    @property
    def result(self) -> str:
        """The same in a word."""
        return "passed" if self.fault is None else "failed" if self.error is None else "error"


@click.command()
@click.argument("selection", required=False)
@module_option
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="PATH",
    help="More tests: a file, or a folder of *.test.yaml; several times.",
)
@click.option("-k", "name", metavar="TEXT", help="Only the tests with this text in their name.")
@json_option
@verbose_option
def test(selection: str | None, module: str, files: Sequence[str], name: str | None, as_json: bool, verbose: bool) -> int:
    """Run the tests beside the SQL files of MODULE, of all assets or of a SELECTION, in memory. Nothing is stored.

    Those of models/daily.sql are in its header or in models/daily.yaml, under "tests", or in models/daily.test.yaml. Exit code 0 when
    all pass, 1 when one does not.
    """
    from warehouse_assets.asset_tests.cases import asset_tests

    tests = asset_tests(load(module, verbose=verbose), selection, files=files)
    chosen = [each for each in tests if name is None or name.casefold() in str(each).casefold()]
    if not chosen:
        what = f"no test has {name!r} in its name" if tests else "there are no tests"
        hint = (
            f"There are {len(tests)}." if tests else "Write them beside the SQL, models/daily.test.yaml for models/daily.sql."
        )
        raise InvalidSelectionError(what, hint=hint)
    outcomes: list[Outcome] = []
    for each in chosen:
        outcomes.append(_run(each))
        if not as_json:
            _print(outcomes[-1], first=len(outcomes) == 1 or outcomes[-2].test.asset_key != each.asset_key, verbose=verbose)
    if as_json:
        click.echo(json.dumps([_as_json(outcome) for outcome in outcomes], indent=2, ensure_ascii=False))
    else:
        _sum_up(outcomes)
    return 1 if any(outcome.fault is not None for outcome in outcomes) else 0


def _run(each: AssetTest) -> Outcome:
    start = time.perf_counter()
    fault, error = None, None
    try:
        each.run()
    except AssertionError as difference:
        fault = "\n".join(str(difference).splitlines()[1:]) or str(difference)
    except Exception as raised:  # noqa: BLE001 - whatever the asset raises, the other tests run
        fault, error = f"{type(raised).__name__}: {raised}", raised
    return Outcome(each, fault, time.perf_counter() - start, error)


def _print(outcome: Outcome, *, first: bool, verbose: bool) -> None:
    from rich.text import Text

    out = console()
    if first:
        out.print(Text(outcome.test.asset_key.to_user_string(), style="bold"))
    if outcome.fault is None:
        out.print(Text.assemble(("  passed  ", "green"), outcome.test.name))
        return
    style = "red"
    out.print(
        Text.assemble(
            (f"  {outcome.result:<6}  ", style), outcome.test.name, (f"  {relative_paths(str(outcome.test.place))}", "dim")
        )
    )
    for line in relative_paths(outcome.fault).splitlines():
        out.print(Text(f"          {line}"), soft_wrap=True)
    if verbose and outcome.error is not None:
        import traceback

        out.print("".join(traceback.format_exception(outcome.error)).rstrip(), soft_wrap=True, markup=False, highlight=False)


def _sum_up(outcomes: Sequence[Outcome]) -> None:
    counts = {result: sum(outcome.result == result for outcome in outcomes) for result in ("passed", "failed", "error")}
    told = [f"{count} {'with an error' if result == 'error' else result}" for result, count in counts.items() if count]
    seconds = sum(outcome.seconds for outcome in outcomes)
    style = "bold green" if counts["passed"] == len(outcomes) else "bold red"
    console().print(
        f"\n{len(outcomes)} test{'' if len(outcomes) == 1 else 's'}: {', '.join(told)}, {seconds:.1f} s", style=style
    )


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "asset": outcome.test.asset_key.to_user_string(),
        "test": outcome.test.name,
        "place": relative_paths(str(outcome.test.place)),
        "result": outcome.result,
        "message": None if outcome.fault is None else relative_paths(outcome.fault),
        "seconds": round(outcome.seconds, 3),
    }
