"""What the columns of a polars LazyFrame are made from, as far as its plan tells.

The plan is read through the view of it that polars gives to the engines which run it in its place; that view is not stable. What it does not
show, or shows in another form than is known here, is opaque.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

from warehouse_assets.column_lineage import COLUMN_LINEAGE, TableColumnLineage
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.asset_columns import table_lineage
from warehouse_assets.sql.lineage import ColumnKind, OutputColumn, QueryLineage, SourceColumn, either

__all__ = ["lazy_lineage", "lineage_metadata", "remember_scan"]

REMEMBERED_FILES = 10_000

_BY_FUNCTION: WeakKeyDictionary[Any, AssetKey] = WeakKeyDictionary()
_BY_PATH: dict[str, AssetKey] = {}
# What in the text of a plan polars asks about itself, from another thread, and may then wait for the interpreter, which is held by
# the one that looks at the plan: datasets of Python, and credentials for files elsewhere.
_ASKS_BACK = re.compile(r"PythonDataset SCAN|SCAN \[(?!file:)[a-z0-9+.-]+://")

# Where each form of expression has those that it is made from.
_PARTS = {
    "Literal": (),
    "Len": (),
    "BinaryExpr": ("left", "right"),
    "Ternary": ("predicate", "truthy", "falsy"),
    "Cast": ("expr",),
    "Function": ("input",),
    "Agg": ("arguments",),
    "Window": ("function", "partition_by", "order_by"),
    "Sort": ("expr",),
    "SortBy": ("expr", "by"),
    "Gather": ("expr", "idx"),
    "Filter": ("input", "by"),
    "Slice": ("input", "offset", "length"),
}

Columns = Mapping[str, OutputColumn]


def remember_scan(frame: Any, key: AssetKey) -> Any:
    """The same LazyFrame, whose files, or whose function that reads, are from now on known to be the table of an asset."""
    try:
        for node, _ in _Plan(frame).leaves():
            if type(node).__name__ == "PythonScan":
                _BY_FUNCTION[node.options[0]] = key
            elif type(node).__name__ == "Scan":
                while len(_BY_PATH) > REMEMBERED_FILES:
                    _BY_PATH.pop(next(iter(_BY_PATH)))
                _BY_PATH.update(dict.fromkeys(map(str, node.paths), key))
    except Exception:  # noqa: BLE001 - what polars does not show is opaque later, and no reason not to load a table
        pass
    return frame


def lineage_metadata(obj: Any) -> dict[str, TableColumnLineage]:
    """What a manager records of the columns of a value: nothing but of a LazyFrame."""
    if not any(cls.__name__ == "LazyFrame" and cls.__module__.partition(".")[0] == "polars" for cls in type(obj).__mro__):
        return {}
    return {COLUMN_LINEAGE: lazy_lineage(obj)}


def lazy_lineage(frame: Any) -> TableColumnLineage:
    """What the columns of a LazyFrame are made from; those that come from nothing that was loaded as one are opaque."""
    try:
        plan = _Plan(frame)
        columns, rows = plan.read(plan.root)
    except Exception as error:  # noqa: BLE001 - the view may be another one in the next release of polars
        return TableColumnLineage({}, opaque=f"the plan of the LazyFrame cannot be read: {error}")
    found = QueryLineage(tuple(columns.values()), frozenset(rows))
    sources = found.rows.union(*(column.sources for column in found.columns))
    return table_lineage(found, {source.table: AssetKey(source.table) for source in sources})


@dataclass(frozen=True)
class _Read:
    """The columns that a node of the plan gives, those that decide which rows, and those that decide their order."""

    columns: dict[str, OutputColumn]
    rows: frozenset[SourceColumn] = frozenset()
    order: frozenset[SourceColumn] = frozenset()

    def __iter__(self) -> Iterator[Any]:
        return iter((self.columns, self.rows))

    def chosen_by(self, columns: Iterable[OutputColumn]) -> _Read:
        """The same, whose rows depend on these columns too."""
        return replace(self, rows=self.rows.union(*(column.sources | column.conditions for column in columns)))


class _Plan:
    """The plan of a LazyFrame, not optimized, so that it says what its author said."""

    def __init__(self, frame: Any) -> None:
        import polars as pl

        if (found := _ASKS_BACK.search(frame.explain(optimized=False))) is not None:
            raise NotImplementedError(f"it has {found[0]}")
        flags = pl.QueryOptFlags.none()._pyoptflags
        self._view = frame._ldf.with_optimizations(flags).visit()
        self.root: int = self._view.get_node()

    def leaves(self) -> Iterator[tuple[Any, int]]:
        """The nodes that read something."""
        stack = [self.root]
        while stack:
            number = stack.pop()
            self._view.set_node(number)
            inputs = self._view.get_inputs()
            stack += inputs
            if not inputs:
                yield self._view.view_current_node(), number

    def read(self, number: int) -> _Read:
        """What a node gives."""
        self._view.set_node(number)
        schema, inputs = list(self._view.get_schema()), list(self._view.get_inputs())
        try:
            node = self._view.view_current_node()
        except NotImplementedError:
            return _opaque(schema, "a Python function makes the frame")
        below = [self.read(each) for each in inputs]
        self._view.set_node(number)
        name = type(node).__name__
        make: Callable[[Any, list[_Read], list[str]], _Read | None] | None = getattr(self, f"_{name.lower()}", None)
        made = make(node, below, schema) if make is not None else None
        if made is None:
            return _opaque(schema, f"what {name} of the plan makes is not followed")
        missing = OutputColumn("", opaque="the plan does not say what it is made from")
        return replace(made, columns={column: replace(made.columns.get(column, missing), name=column) for column in schema})

    # Expressions

    def _value(self, expression: Any, columns: Columns) -> OutputColumn:
        """What an expression is made from."""
        found: list[OutputColumn] = []
        kind: ColumnKind = "direct"
        stack = [expression.node]
        while stack:
            try:
                part = self._view.view_expression(stack.pop())
            except NotImplementedError:
                found.append(OutputColumn("", opaque="a Python function makes it"))
                continue
            name = type(part).__name__
            if name == "Column":
                found.append(columns.get(part.name, OutputColumn("", opaque=f"the column {part.name} is not known")))
                continue
            kind = "aggregated" if name in ("Agg", "Len") or kind == "aggregated" else "derived"
            if name not in _PARTS:
                found.append(OutputColumn("", opaque=f"what the expression {name} is made from is not followed"))
            for attribute in _PARTS.get(name, ()):
                inside = getattr(part, attribute, None)
                stack += inside if isinstance(inside, list) else [] if inside is None else [inside]
        return either(expression.output_name, found, kind)

    def _values(self, expressions: Sequence[Any], columns: Columns) -> dict[str, OutputColumn]:
        return {expression.output_name: self._value(expression, columns) for expression in expressions}

    # Nodes, by the names that polars gives them

    def _pythonscan(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        key = _BY_FUNCTION.get(node.options[0])
        return _table(key, schema) if key is not None else _opaque(schema, "a Python function reads it")

    def _scan(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        keys = {_BY_PATH.get(str(path)) for path in node.paths}
        key = keys.pop() if len(keys) == 1 else None
        place = str(node.paths[0]).rpartition("/")[2] if node.paths else "no file"
        if key is None:
            return _opaque(schema, f"it is read from {place}, which is no asset")
        added = {(node.file_options.row_index or ("",))[0], node.file_options.include_file_paths}
        table = _table(key, schema)
        return replace(table, columns={**table.columns, **{name: OutputColumn(name) for name in schema if name in added}})

    def _dataframescan(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        return _opaque(schema, "it comes from a frame in memory")

    def _simpleprojection(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        return below[0]

    _cache = _sink = _simpleprojection

    def _slice(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        return replace(below[0], rows=below[0].rows | below[0].order)

    def _select(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        return replace(below[0], columns=self._values(node.expr, below[0].columns))

    def _hstack(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        return replace(below[0], columns={**below[0].columns, **self._values(node.exprs, below[0].columns)})

    def _filter(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        return below[0].chosen_by([self._value(node.predicate, below[0].columns)])

    def _sort(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        columns = self._values(node.by_column, below[0].columns).values()
        return replace(below[0], order=frozenset().union(*(column.sources for column in columns)))

    def _distinct(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        columns = below[0].columns
        return below[0].chosen_by([columns[name] for name in node.options[1] or columns])

    def _groupby(self, node: Any, below: list[_Read], schema: list[str]) -> _Read | None:
        if node.apply:
            return None
        keys = self._values(node.keys, below[0].columns)
        values = self._values(node.aggs, below[0].columns)
        made = {name: either(name, [column], "aggregated") for name, column in values.items()}
        return replace(below[0], columns={**keys, **made}).chosen_by(keys.values())

    def _join(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        left, right = below
        how, _, _, suffix, coalesced, _ = node.options
        on_left, on_right = self._values(node.left_on, left.columns), self._values(node.right_on, right.columns)
        columns = dict(left.columns)
        if how == "Right" and coalesced:
            columns = {name: column for name, column in columns.items() if name not in on_left}
        for name, column in right.columns.items():
            columns[f"{name}{suffix}" if name in columns else name] = column
        if how == "Full" and coalesced:
            for one, other in zip(on_left, on_right, strict=True):
                columns[one] = either(one, (on_left[one], on_right[other]), "derived")
        rows = replace(left, columns=columns, rows=left.rows | right.rows)
        return rows.chosen_by([*on_left.values(), *on_right.values()])

    def _union(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        columns = {name: either(name, [each.columns[name] for each in below if name in each.columns]) for name in schema}
        return _Read(columns, frozenset().union(*(each.rows for each in below)))

    def _hconcat(self, node: Any, below: list[_Read], schema: list[str]) -> _Read:
        return reduce(lambda one, other: _Read({**one.columns, **other.columns}, one.rows | other.rows), below)

    def _mapfunction(self, node: Any, below: list[_Read], schema: list[str]) -> _Read | None:
        name, *given = node.function
        columns = dict(below[0].columns)
        match name:
            case "row_index":
                return replace(below[0], columns={given[0]: OutputColumn(given[0]), **columns})
            case "explode":
                parts = {each: either(each, [columns[each]], "derived") for each in given[0]}
                return replace(below[0], columns=columns | parts).chosen_by(parts.values())
            case "rename":
                renamed = dict(zip(given[0], given[1], strict=True))
                return replace(below[0], columns={renamed.get(each, each): column for each, column in columns.items()})
            case "unpivot":
                index, on, variable, value = given
                kept = {each: columns[each] for each in index or ()}
                values = either(value or "value", [columns[each] for each in on or columns if each not in kept])
                named = variable or "variable"
                return replace(below[0], columns={**kept, named: OutputColumn(named), values.name: values})
            case "unnest":
                structs = {each: columns.pop(each) for each in given[0]}
                if len(structs) == 1:
                    [struct] = structs.values()
                    fields = {each: either(each, [struct], "derived") for each in schema if each not in columns}
                    return replace(below[0], columns={**columns, **fields})
        return None


def _table(key: AssetKey, schema: Sequence[str]) -> _Read:
    table = tuple(key.path)
    return _Read({name: OutputColumn(name, frozenset({SourceColumn(table, name)}), "direct") for name in schema})


def _opaque(schema: Iterable[str], why: str) -> _Read:
    return _Read({name: OutputColumn(name, opaque=why) for name in schema})
