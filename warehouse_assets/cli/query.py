"""`wa query`: SQL over stored assets, whatever store they are in."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from warehouse_assets.cli.format import console, new_table
from warehouse_assets.cli.options import json_option, load, module_option, open_instance, verbose_option

__all__ = ["query"]

SHOWN_ROWS = 40


@click.command()
@click.argument("sql")
@module_option
@click.option("--limit", type=click.IntRange(min=0), help=f"Rows to show: {SHOWN_ROWS} as a table, all otherwise; 0 shows all.")
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV.")
@json_option
@verbose_option
def query(sql: str, module: str, limit: int | None, as_csv: bool, as_json: bool, verbose: bool) -> None:
    """Answer SQL over the assets and sources of MODULE, named as in `select * from staging.orders`. Nothing is written."""
    from warehouse_assets.sql.origin import SQLOrigin
    from warehouse_assets.sql.value import SQL

    if as_csv and as_json:
        raise click.UsageError("--csv and --json are both given.")
    definitions = load(module, verbose=verbose)
    with (
        open_instance() as instance,
        definitions.stored_tables(instance=instance) as tables,
        tables.query(SQL(sql).told(origin=SQLOrigin("query"))) as reader,
    ):
        names = list(reader.schema.names)
        rows = _rows(reader)
        if as_csv or as_json:
            wanted = itertools.islice(rows, limit) if limit else rows
            (_write_csv if as_csv else _write_json)(names, wanted)
        else:
            _print_table(names, rows, SHOWN_ROWS if limit is None else limit)


def _rows(reader: Any) -> Iterator[tuple[Any, ...]]:
    for batch in reader:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _print_table(names: list[str], rows: Iterator[tuple[Any, ...]], limit: int) -> None:
    shown = list(itertools.islice(rows, limit) if limit else rows)
    numbers = tuple(
        name
        for index, name in enumerate(names)
        if any(isinstance(row[index], (int, float)) and not isinstance(row[index], bool) for row in shown)
    )
    table = new_table(*names, numeric=numbers)
    for row in shown:
        table.add_row(*(_cell(value) for value in row))
    out = console()
    out.print(table)
    more = sum(1 for _ in rows)
    out.print(f"\n{len(shown):,} rows" + (f" of {len(shown) + more:,}; --limit 0 shows all" if more else ""), style="dim")


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
    return str(value)


def _write_csv(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    writer.writerows(rows)


def _write_json(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    for row in rows:
        click.echo(json.dumps(dict(zip(names, row, strict=True)), default=str, ensure_ascii=False))
