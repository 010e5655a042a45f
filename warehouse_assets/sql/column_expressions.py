"""What expressions of a query are made from, and the columns that a projection gives: stars and COLUMNS are several."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from warehouse_assets.sql.lineage import ColumnKind, OtherColumns, OutputColumn, either
from warehouse_assets.sql.relations import Names, Relation, Scope, joined_others

__all__ = ["Expressions", "Projected"]

Projected = tuple[list[OutputColumn], OtherColumns | None]
LookUp = Callable[[exp.Expr | str, Scope], OutputColumn | None]

# Those that sqlglot does not know as such.
_AGGREGATES = {"bitstring_agg", "entropy", "favg", "fsum", "histogram", "kahan_sum", "mad", "product", "sumkahan"}
# Those that sqlglot calls so, and that give the value of a row, or its place.
_OF_A_ROW = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead)


class Expressions(ABC):
    """The expressions of one query text; queries inside of them are asked of `query`."""

    names: Names

    @abstractmethod
    def query(self, node: exp.Expr, scope: Scope) -> Relation:
        """The columns that a query gives, in a scope of its own."""

    # One value

    def value(self, node: exp.Expr, scope: Scope) -> OutputColumn:
        """What an expression is computed from, with its subqueries; the name is left empty."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return self.column(node, scope)
        if isinstance(node, exp.PositionalColumn):
            return self._at(int(node.name), scope)
        return self._value(node, scope)

    def _value(self, node: exp.Expr, scope: Scope, chosen: OutputColumn | None = None) -> OutputColumn:
        """What an expression is computed from, in which COLUMNS stands for the column that is `chosen`."""
        found: list[OutputColumn] = []
        kind: ColumnKind = "derived"
        stack: list[tuple[exp.Expr, frozenset[str]]] = [(node, frozenset())]  # as deep as a person's formula, so no recursion
        while stack:
            part, bound = stack.pop()
            if isinstance(part, exp.Column):
                if self.names.fold(part.parts[0]) not in bound:
                    found.append(self.column(part, scope))
                continue
            if isinstance(part, exp.Query):
                found.append(self._subquery(part, scope))
                continue
            if isinstance(part, exp.Columns):
                found += self.columns_of(part, scope)[0] if chosen is None or part.args.get("unpack") else [chosen]
                continue
            if isinstance(part, exp.PositionalColumn):
                found.append(self._at(int(part.name), scope))
                continue
            if isinstance(part, exp.Exists):
                conditions = self.query(part.this, scope.inner(correlated=True)).rows
                found.append(OutputColumn("", conditions=conditions))
                continue
            if isinstance(part, exp.Explode):
                scope.decide([self.value(part.this, scope)])  # by how long the list is
            if _aggregates(part):
                kind = "aggregated"
            if isinstance(part, exp.Window) and (name := part.args.get("alias")) is not None:
                found.append(scope.windows.get(self.names.fold(name), OutputColumn("")))
            if isinstance(part, exp.Lambda):
                bound |= {self.names.fold(name) for name in part.expressions}
            if isinstance(part, exp.Comprehension):
                bound |= {self.names.fold(part.expression)}
            stack += ((child, bound) for child in part.iter_expressions())
        return either("", found, kind)

    def _subquery(self, node: exp.Expr, scope: Scope) -> OutputColumn:
        """A query as a value: its rows are chosen by conditions."""
        relation = self.query(node, scope.inner(correlated=True))
        columns = [*relation.columns]
        if relation.others is not None:
            columns.append(replace(relation.others.column(""), sources=relation.others.sources, opaque=relation.others.why))
        found = either("", columns, "derived")
        return replace(found, conditions=(found.conditions | relation.rows) - found.sources)

    def column(self, node: exp.Column, scope: Scope) -> OutputColumn:
        """The column that a name in a query means; one of a relation that lists it comes before one that may have it."""
        names = [part for part in node.parts if isinstance(part, exp.Identifier)]
        scopes = [*scope.and_around()]
        for around in scopes:
            for find in (self._of_relation, self._of_any):
                if (found := find(names, around, self.listed)) is not None:
                    return found
        for find in (self._of_relation, self._of_any):
            for around in scopes:
                if (found := find(names, around, self._unlisted)) is not None:
                    return found
        return OutputColumn("", opaque=f"the column {node.sql(self.names.dialect)} is not known")

    def _of_relation(self, names: list[exp.Identifier], scope: Scope, look_up: LookUp) -> OutputColumn | None:
        """What the name of a relation, of a column of it, and perhaps of fields in that mean."""
        for at in range(len(names) - 1):
            for relation in scope.relations:
                if relation.name == self.names.fold(names[at]):
                    found = look_up(names[at + 1], Scope(relations=[relation]))
                    if found is not None:
                        return _field(found, names[at + 2 :])
        return None

    def _of_any(self, names: list[exp.Identifier], scope: Scope, look_up: LookUp) -> OutputColumn | None:
        """What the name of a column, and perhaps of fields in it, mean."""
        found = look_up(names[0], scope) if names else None
        return _field(found, names[1:]) if found is not None else None

    def listed(self, name: exp.Expr | str, scope: Scope) -> OutputColumn | None:
        """The column of a name in a scope alone: of what it selects from, then of its aliases, then a whole row."""
        key = self.names.fold(name)
        if key in scope.merged:
            return scope.merged[key]
        for relation in scope.relations:
            if (column := relation.column(key, self.names)) is not None:
                return column
        if key in scope.aliases:
            return scope.aliases[key]
        for relation in scope.relations:
            if relation.name == key and (relation.columns or relation.others is None):
                found = either("", relation.columns, "derived")
                return found if relation.others is None else replace(found, opaque=relation.others.why)
        return None

    def _unlisted(self, name: exp.Expr | str, scope: Scope) -> OutputColumn | None:
        """The column of a name among those that are not listed."""
        text = name if isinstance(name, str) else name.name
        others = joined_others(scope.relations)
        return others.column(text) if others is not None else None

    def _at(self, position: int, scope: Scope) -> OutputColumn:
        columns, others = self._star(exp.Star(), None, scope)
        if others is not None or not 0 < position <= len(columns):
            return OutputColumn("", opaque=f"the column #{position} is not known")
        return columns[position - 1]

    # Several columns

    def projection(self, node: exp.Expr, scope: Scope) -> Projected:
        """The columns that one item of a SELECT list gives."""
        inner = node.this if isinstance(node, exp.Alias) else node
        if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
            return self.star_of(inner, scope)
        if isinstance(inner, (exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.Glob, exp.Not)) and (
            isinstance(star := (inner.this if isinstance(inner, exp.Not) else inner).this, exp.Star)
        ):
            return self._chosen(self.star_of(star, scope), _judge(inner))
        several = [part for part in inner.find_all(exp.Columns) if not part.args.get("unpack")]
        if several:
            return self._for_each_column(inner, several[0], node, scope)
        if isinstance(inner, exp.Explode) and len(inner.args) > 1 and inner.args.get("expressions"):
            found = self.value(inner, scope)
            return [], OtherColumns("the fields of a struct are known to the engine only", (), found.sources, True)
        found = self.value(inner, scope)
        if isinstance(node, exp.Alias):
            return [replace(found, name=self.names.stored(node.args["alias"]))], None
        name = found.name if isinstance(node, exp.PositionalColumn) else self.names.given(node)
        return [replace(found, name=name)], None

    def star_of(self, node: exp.Expr, scope: Scope) -> Projected:
        """The columns of `*`, or of `t.*`, which may be a struct."""
        if not isinstance(node, exp.Column):
            return self._star(node, None, scope)
        table = node.parts[-2]
        if any(relation.name == self.names.fold(table) for relation in scope.relations):
            return self._star(node.this, table, scope)
        found = self.listed(table, scope) or self._unlisted(table, scope) or OutputColumn("")
        return [], OtherColumns("the fields of a struct are known to the engine only", (), found.sources, not found.opaque)

    def _star(self, star: exp.Expr, table: exp.Expr | None, scope: Scope) -> Projected:
        fold = self.names.fold
        wanted = [relation for relation in scope.relations if table is None or relation.name == fold(table)]
        excluded = {(_of(name, fold), fold(name)) for name in star.args.get("except_") or ()}
        replaced = {fold(alias.alias): alias for alias in star.args.get("replace") or ()}
        renames = {fold(alias.this): alias.args["alias"] for alias in star.args.get("rename") or ()}
        columns, merged = [], set()
        for owner, column in [(each, column) for each in wanted for column in each.columns]:
            key = fold(column.name)
            if key in merged or ("", key) in excluded or (owner.name, key) in excluded:
                continue
            if table is None and key in scope.merged:
                merged.add(key)
                column = replace(scope.merged[key], name=column.name)
            if key in replaced:
                column = replace(self.value(replaced[key].this, scope), name=column.name)
            columns.append(replace(column, name=self.names.stored(renames[key])) if key in renames else column)
        others = joined_others(wanted)
        if others is not None:  # a column that is renamed or replaced is there, wherever it stands
            listed = {fold(column.name) for relation in wanted for column in relation.columns}
            columns += [
                self._rest(others, key, replaced, renames, scope) for key in {**replaced, **renames} if key not in listed
            ]
        pattern = star.args.get("ilike")
        chosen: Projected = columns, others
        return chosen if pattern is None else self._chosen(chosen, _judge(exp.ILike(this=star, expression=pattern)))

    def _rest(
        self, others: OtherColumns, key: str, replaced: dict[str, exp.Expr], renames: dict[str, exp.Expr], scope: Scope
    ) -> OutputColumn:
        """A column that is not listed, and that a star replaces or renames."""
        column = self.value(replaced[key].this, scope) if key in replaced else others.column(key)
        return replace(column, name=self.names.stored(renames[key]) if key in renames else replaced[key].alias)

    def columns_of(self, node: exp.Columns, scope: Scope) -> Projected:
        """The columns that COLUMNS chooses."""
        chosen = node.this
        if isinstance(chosen, exp.Star) or (isinstance(chosen, exp.Column) and isinstance(chosen.this, exp.Star)):
            return self.star_of(chosen, scope)
        everything = self._star(exp.Star(), None, scope)
        if isinstance(chosen, (exp.Array, exp.Tuple)):
            keys = {self.names.fold(name.name) for name in chosen.expressions}
            return self._chosen(everything, lambda name: self.names.fold(name) in keys)
        if isinstance(chosen, exp.Literal):
            return self._chosen(everything, lambda name: re.search(chosen.name, name) is not None)
        return self._chosen(everything, _judge(chosen.this if isinstance(chosen, exp.Lambda) else chosen))

    def _for_each_column(self, inner: exp.Expr, columns: exp.Columns, node: exp.Expr, scope: Scope) -> Projected:
        """A column of the expression for each that COLUMNS chooses."""
        found, others = self.columns_of(columns, scope)
        if others is not None and inner is not columns:
            others = OtherColumns(others.why, sources=others.sources)
        pattern = columns.this.name if isinstance(columns.this, exp.Literal) else None
        made = []
        for column in found:
            name = _replaced(node.alias, pattern, column.name) if isinstance(node, exp.Alias) else column.name
            one = column if inner is columns else self._value(inner, scope, column)
            made.append(replace(one, name=name))
        return made, others

    def _chosen(self, found: Projected, judge: Callable[[str], bool] | None) -> Projected:
        columns, others = found
        if judge is not None:
            return [column for column in columns if judge(column.name)], others
        sources = either("", columns).sources | (others.sources if others is not None else frozenset())
        return [], OtherColumns(
            "what COLUMNS chooses is known to the engine only", (), sources, others is None or others.complete
        )


def _field(column: OutputColumn, names: list[exp.Identifier]) -> OutputColumn:
    """The column, or a field in it."""
    return either(column.name, [column], "derived") if names else column


def _aggregates(node: exp.Expr) -> bool:
    """Whether an expression, apart from those inside of it, makes one value of several rows."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _AGGREGATES
    return isinstance(node, exp.AggFunc) and not isinstance(node, _OF_A_ROW)


def _of(name: exp.Expr, fold: Callable[[exp.Expr], str]) -> str:
    """The relation that a name in EXCLUDE is of, if it says so."""
    table = name.args.get("table") if isinstance(name, exp.Column) else None
    return fold(table) if table is not None else ""


def _judge(node: exp.Expr) -> Callable[[str], bool] | None:
    """Which names a condition on them holds for; None where it is more than a comparison with a pattern."""
    if isinstance(node, (exp.And, exp.Or)):
        left, right = _judge(node.this), _judge(node.expression)
        if left is None or right is None:
            return None
        return (
            (lambda name: left(name) and right(name)) if isinstance(node, exp.And) else (lambda name: left(name) or right(name))
        )
    if isinstance(node, (exp.Not, exp.Paren)):
        inner = _judge(node.this)
        if inner is None or isinstance(node, exp.Paren):
            return inner
        return lambda name: not inner(name)
    patterns: dict[type[exp.Expr], Callable[[str], str]] = {
        exp.Like: _like,
        exp.ILike: lambda text: "(?i)" + _like(text),
        exp.SimilarTo: str,
        exp.EQ: re.escape,
        exp.NEQ: re.escape,
    }
    make = patterns.get(type(node))
    if make is None or not (isinstance(node.expression, exp.Literal) and node.expression.is_string):
        return None
    pattern = re.compile(make(node.expression.name), re.DOTALL)
    wanted = not node.args.get("negate") and not isinstance(node, exp.NEQ)
    return lambda name: (pattern.fullmatch(name) is not None) == wanted


def _like(pattern: str) -> str:
    return "".join(".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern)


def _replaced(alias: str, pattern: str | None, name: str) -> str:
    r"""The name that an alias gives, in which `\1` is what the first group of the pattern matched."""
    if pattern is None or "\\" not in alias:
        return alias
    match = re.search(pattern, name)
    groups = (match[0], *match.groups()) if match else ()
    return re.sub(r"\\(\d)", lambda digit: groups[int(digit[1])] if int(digit[1]) < len(groups) else "", alias)
