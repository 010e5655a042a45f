"""Make the tables, ask the 22 questions, and show the answers: `python -m examples.tpch --help`."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from examples.tpch.definitions import STORES, definitions
from examples.tpch.land import land
from examples.tpch.published import PUBLISHED, differences
from warehouse_assets import Definitions, Instance, ThreadExecutor


@click.command(context_settings={"show_default": True})
@click.option("--store", type=click.Choice(STORES), default="duckdb", help="Where the answers are kept.")
@click.option("--scale", type=click.FloatRange(min=0, min_open=True), default=1.0, help="The scale factor of the tables.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("build/tpch"), help="Where the tables are.")
def main(store: str, scale: float, folder: Path) -> None:
    """Run TPC-H; what is recorded of it is what `wa list` and `wa show` tell."""
    land(folder / "tpch", scale)
    defs = definitions(store, folder)
    with Instance.get(folder) as instance:
        defs.materialize(instance=instance, executor=ThreadExecutor())
        click.echo(answers(defs, instance))
    if scale == 1:
        click.echo(f"\n{compared(defs)}")


def answers(defs: Definitions, instance: Instance) -> str:
    """Each question, and how many rows answer it."""
    lines = []
    for node in sorted(defs.graph, key=lambda node: node.key):
        event = instance.get_latest_materialization_event(node.key)
        if node.sql is None or event is None or event.asset_materialization is None:
            continue
        rows = event.asset_materialization.metadata["row_count"].value
        lines.append(f"{node.key.path[-1]}  {rows:>6,} rows  {node.spec.description}")
    return "\n".join(lines)


def compared(defs: Definitions) -> str:
    """Whether the answers are those that were published."""
    wrong = []
    for query in PUBLISHED:
        first = defs.load_asset_value(f"answers/{query}", as_type=pl.DataFrame).row(0, named=True)
        wrong += differences(query, first)
    return "\n".join(wrong) or f"The first rows of {len(PUBLISHED)} answers are those that the specification publishes."


if __name__ == "__main__":
    main(prog_name="python -m examples.tpch")
