"""Which rows of a table a query reads, as far as comparisons in it tell. Loads sqlglot, so it is imported when used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from sqlglot import exp

from warehouse_assets.sql.analysis import parsed

__all__ = ["Comparison", "Constant", "comparisons_with"]

Constant: TypeAlias = "int | Decimal | str | dt.date | None"

_OPERATORS: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_TURNED = {"=": "=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_PARTS = ("sample", "pivots", "joins", "laterals", "when", "version")  # of a table in FROM, which are more than its name
_BY_NEIGHBOURS = ("ASOF", "POSITIONAL")  # joins in which a row that is left out changes what others are joined to


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with constants: by `=` with one of several, or by another operator with one. No NULL fulfils it.

    `column` is written as in the query; None as the only value stands for IS NOT NULL.
    """

    column: str
    operator: str
    values: tuple[Constant, ...]


def comparisons_with(text: str, table: Sequence[str], dialect: str, parameters: Mapping[str, Any]) -> tuple[Comparison, ...]:
    """What is true of each row of a table that a query reads once, as WHERE says it; rows of which it is not make no difference.

    >>> query = "select id from shop.orders as o join names using (id) where o.id > 3 and 'a' = o.kind and amount > o.least"
    >>> for comparison in comparisons_with(query, ("shop", "orders"), "duckdb", {}):
    ...     print(comparison.column, comparison.operator, comparison.values)
    id > (3,)
    kind = ('a',)
    """
    statements = parsed(text, dialect)
    if len(statements) != 1 or (query := statements[0][1]) is None:
        return ()
    found = [each for each in query.find_all(exp.Table) if tuple(part.name for part in each.parts) == tuple(table)]
    if len(found) != 1 or any(found[0].args.get(part) for part in _PARTS):
        return ()
    [place] = found
    select = place.find_ancestor(exp.Select, exp.SetOperation)
    if not isinstance(select, exp.Select) or not any(place.parent is each for each in _sources(select)):
        return ()
    where = select.args.get("where")
    if where is None or _is_intricate(select, place):
        return ()
    alone = not select.args.get("joins") and not select.args.get("laterals")
    conjuncts = [*where.this.flatten()] if isinstance(where.this, exp.And) else [where.this]
    return tuple(_comparisons(conjuncts, place.alias_or_name, parameters, alone=alone))


def _sources(select: exp.Select) -> list[exp.Expr]:
    return [each for each in (select.args.get("from_"), *(select.args.get("joins") or ())) if each is not None]


def _is_intricate(select: exp.Expr, table: exp.Expr) -> bool:
    """Whether rows that WHERE refuses may change which others there are, or names of columns are not those of the table."""
    joins = select.args.get("joins") or ()
    alias = table.args.get("alias")
    return (
        any(str(join.args.get("method") or "").upper() in _BY_NEIGHBOURS for join in joins)
        or bool(select.args.get("sample"))
        or select.args.get("connect") is not None
        or (alias is not None and bool(alias.args.get("columns")))
    )


def _comparisons(
    conjuncts: Sequence[exp.Expr], table: str, parameters: Mapping[str, Any], *, alone: bool
) -> Iterator[Comparison]:
    for each in conjuncts:
        node = each.unnest()
        negated = isinstance(node, exp.Not)
        inner = node.this.unnest() if negated else node
        column = _column(inner.this, table, alone=alone)
        if negated:
            if column is not None and isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
                yield Comparison(column, "is not", (None,))
        elif isinstance(node, exp.Between):
            if column is not None and not node.args.get("symmetric"):
                for operator, end in ((">=", node.args["low"]), ("<=", node.args["high"])):
                    yield from _compared(column, operator, [end], parameters)
        elif isinstance(node, exp.In):
            if (
                column is not None
                and node.expressions
                and not any(node.args.get(part) for part in ("query", "unnest", "field"))
            ):
                yield from _compared(column, "=", node.expressions, parameters)
        elif (sign := _OPERATORS.get(type(node))) is not None:
            if column is not None:
                yield from _compared(column, sign, [node.expression], parameters)
            elif (other := _column(node.expression, table, alone=alone)) is not None:
                yield from _compared(other, _TURNED[sign], [node.this], parameters)


def _column(node: Any, table: str, *, alone: bool) -> str | None:
    """The name of a column of the table; None for anything else."""
    if (
        not isinstance(node, exp.Column)
        or node.args.get("db")
        or node.name.startswith("$")
        or not isinstance(node.this, exp.Identifier)
    ):
        return None
    return node.name if (node.table.casefold() == table.casefold() if node.table else alone) else None


def _compared(column: str, operator: str, nodes: Sequence[exp.Expr], parameters: Mapping[str, Any]) -> Iterator[Comparison]:
    values = [_constant(node, parameters) for node in nodes]
    if all(value is not None for value in values):
        yield Comparison(column, operator, tuple(values))


def _constant(node: exp.Expr, parameters: Mapping[str, Any]) -> Constant:
    """The value that a node has, whatever the rows; None where it is no plain number, text, day or time without a zone."""
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else _number(node.name)
    if isinstance(node, exp.Neg):
        number = _constant(node.this, parameters)
        return -number if isinstance(number, (int, Decimal)) else None
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.is_string:
        return _moment(node.this.name, node.to)
    if (name := _parameter(node)) is not None:
        value = parameters.get(name)
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            return None
        return value if isinstance(value, (int, str, Decimal, dt.date)) and not isinstance(value, bool) else None
    return None


def _number(text: str) -> int | Decimal | None:
    try:
        return int(text) if text.isdigit() else Decimal(text)
    except InvalidOperation:
        return None


def _moment(text: str, kind: exp.DataType) -> dt.date | None:
    """A day or a time as `date '2024-01-31'` has it, in its common form."""
    read = {exp.DataType.Type.DATE: dt.date, exp.DataType.Type.TIMESTAMP: dt.datetime}.get(kind.this)
    try:
        moment = read.fromisoformat(text) if read is not None else None
    except ValueError:
        return None
    return moment if moment is not None and str(moment) == text else None


def _parameter(node: exp.Expr) -> str | None:
    name: str = node.name
    if isinstance(node, exp.Column) and not node.table and name.startswith("$"):
        return name[1:]
    return name if isinstance(node, (exp.Placeholder, exp.Parameter)) else None
