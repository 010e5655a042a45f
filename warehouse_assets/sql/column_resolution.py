"""The resolution of names behind column lineage: queries, and the relations that they select from. Loads sqlglot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.analysis import parsed
from warehouse_assets.sql.column_expressions import Expressions
from warehouse_assets.sql.lineage import OtherColumns, OutputColumn, QueryLineage, SchemaOf, SourceColumn, either
from warehouse_assets.sql.pivots import pivoted
from warehouse_assets.sql.relations import Names, Relation, Scope, joined_others

__all__ = ["resolve_columns"]

_ONE_COLUMN = ("range", "generate_series", "generate_subscripts", "unnest")
_FILES = ("read_", "scan_", "glob", "parquet_", "sniff_")


def resolve_columns(text: str, dialect: str, schema_of: SchemaOf | None) -> QueryLineage:
    """See `column_lineage`."""
    statements = [statement for _, statement in parsed(text, dialect) if statement is not None]
    resolver = _Resolver(Names(dialect), schema_of)
    made: dict[tuple[str, ...], Relation] = {}
    relation: Relation | None = None
    try:
        for statement in statements:
            relation = resolver.statement(statement, made)
    except RecursionError:
        raise InvalidSQLError("it is nested too deeply to be followed") from None
    if relation is None:
        raise InvalidSQLError("its last statement is no query" if statements else "it holds no statement")
    return QueryLineage(relation.columns, relation.rows, relation.others)


class _Resolver(Expressions):
    def __init__(self, names: Names, schema_of: SchemaOf | None) -> None:
        self.names = names
        self.schema_of = schema_of.get if isinstance(schema_of, Mapping) else schema_of
        self._stored: dict[tuple[str, ...], Relation] = {}

    def statement(self, statement: exp.Expr, made: dict[tuple[str, ...], Relation]) -> Relation | None:
        """The columns of a query, or of the table that a statement makes or adds to, which is noted in `made`; None for others."""
        query = statement.expression if isinstance(statement, (exp.Create, exp.Insert)) else statement
        if not isinstance(query, (exp.Query, exp.Values, exp.Pivot, exp.Summarize)):
            return None
        outside = Scope(made=made)
        relation = self.query(query, outside if query is statement else self._with(statement, outside))
        if query is statement:
            return relation
        target, schema = statement.this, []
        if isinstance(target, exp.Schema):
            target, schema = target.this, [part for part in target.expressions if isinstance(part, exp.Identifier)]
        key = self._made_name(target)
        known = made.get(key)
        if isinstance(statement, exp.Create):
            made[key] = relation
        elif known is not None:
            made[key] = relation = self._added(known, relation, [self.names.fold(name) for name in schema], statement)
        elif schema:
            names = [self.names.stored(name) for name in schema]
            relation = replace(relation, columns=_under(names, relation.columns))
        return relation

    def _made_name(self, table: exp.Table) -> tuple[str, ...]:
        """The name of a table that statements before may have made, which is the same with and without its schema `temp`."""
        key = tuple(self.names.fold(part) for part in table.parts if isinstance(part, exp.Identifier))
        return key[1:] if len(key) == 2 and key[0] in ("temp", "pg_temp") else key

    def _added(self, known: Relation, new: Relation, into: list[str], insert: exp.Expr) -> Relation:
        """A table after an INSERT: each column is made from what it was, and from what is put into it."""
        columns = list(known.columns)
        fold = self.names.fold
        targets = [fold(c.name) for c in new.columns] if insert.args.get("by_name") else into or [fold(c.name) for c in columns]
        for target, column in zip(targets, new.columns, strict=False):
            at = next((at for at, old in enumerate(columns) if fold(old.name) == target), None)
            if at is not None:
                columns[at] = either(columns[at].name, (columns[at], column))
        return Relation(tuple(columns), joined_others((known, new)), known.rows | new.rows, known.name)

    # Queries

    def query(self, node: exp.Expr, scope: Scope) -> Relation:
        scope = self._with(node, scope)
        if isinstance(node, exp.Subquery):
            return self._nested(node, scope)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, scope)
        if isinstance(node, exp.Select):
            return self._select(node, scope.inner(correlated=False))
        if isinstance(node, exp.Values):
            return self._values(node, scope)
        if isinstance(node, exp.Pivot):
            return pivoted(self, node, self._relation(node.this, scope))
        if isinstance(node, exp.Table):
            return self._everything(node, scope)
        return Relation((), OtherColumns(f"the columns of {node.key.upper()} are known to the engine only"))

    def _with(self, node: exp.Expr, scope: Scope) -> Scope:
        """The scope, with the common table expressions that stand before a query."""
        if (with_ := node.args.get("with_")) is None:
            return scope
        scope = replace(scope, ctes=dict(scope.ctes))
        for cte in with_.expressions:
            scope.ctes[self.names.fold(cte.args["alias"].this)] = self._cte(cte, scope, bool(with_.args.get("recursive")))
        return scope

    def _nested(self, node: exp.Subquery, scope: Scope) -> Relation:
        """A query in parentheses, which may be joined with others there, ordered and limited."""
        if node.args.get("joins"):
            return self._everything(node, scope)
        relation = self._alone(node, scope)
        if (node.args.get("limit") or node.args.get("offset")) and (order := node.args.get("order")) is not None:
            inner = Scope(scope, scope.ctes, scope.made, [relation], rows=set(relation.rows))
            inner.decide([self.value(order, inner), *_at_positions(order, relation.columns)])
            relation = replace(relation, rows=frozenset(inner.rows))
        return relation

    def _everything(self, node: exp.Expr, scope: Scope) -> Relation:
        """All columns of relations that are joined."""
        inner = scope.inner(correlated=False)
        self._join_in(node, inner)
        columns, others = self.star_of(exp.Star(), inner)
        return Relation(tuple(columns), others, frozenset(inner.rows))

    def _alone(self, node: exp.Expr, scope: Scope) -> Relation:
        """A subquery without what it is joined with."""
        relation = self.query(node.this, scope)
        for pivot in node.args.get("pivots") or ():
            relation = self._renamed(pivoted(self, pivot, relation), pivot.args.get("alias"))
        return relation

    def _cte(self, cte: exp.Expr, scope: Scope, recursive: bool) -> Relation:
        alias, body = cte.args["alias"], cte.this
        if not (recursive and isinstance(body, exp.SetOperation)):
            return self._renamed(self.query(body, scope), alias)
        relation = self._renamed(self.query(body.this, scope), alias)
        name = self.names.fold(alias.this)
        while True:  # sources only grow, and there are finitely many
            again = self._renamed(self.query(body, replace(scope, ctes={**scope.ctes, name: relation})), alias)
            if again == relation:
                return relation
            relation = again

    def _renamed(self, relation: Relation, alias: exp.Expr | None) -> Relation:
        """The relation under an alias, with its column names where the alias has them."""
        if not isinstance(alias, exp.TableAlias):
            return relation
        names = [self.names.stored(column) for column in alias.args.get("columns") or ()]
        columns = _under(names, relation.columns)
        if relation.others is not None and names:
            columns = tuple(replace(relation.others, table=()).column(name) for name in names)
        name = self.names.fold(alias.this) if alias.this is not None else relation.name
        return replace(relation, columns=columns, name=name)

    def _set_operation(self, node: exp.SetOperation, scope: Scope) -> Relation:
        operands = [self.query(operand, scope) for operand in _operands(node)]
        first, every = operands[0], [column for operand in operands for column in operand.columns]
        others = joined_others(operands)
        rows = Scope(rows=set().union(*(operand.rows for operand in operands)))
        if not isinstance(node, exp.Union) or node.args.get("distinct"):
            rows.decide(every)
        if isinstance(node, exp.Except):
            return Relation(first.columns, first.others, frozenset(rows.rows))
        if node.args.get("by_name"):
            alike: dict[str, list[OutputColumn]] = {}
            for column in every:
                alike.setdefault(self.names.fold(column.name), []).append(column)
            columns = [either(columns[0].name, columns) for columns in alike.values()]
        elif others is not None:
            columns = [replace(column, opaque=others.why) for column in first.columns]
            others = OtherColumns(others.why)
        else:
            places = zip(*(operand.columns for operand in operands), strict=False)
            columns = [either(place[0].name, place) for place in places]
        if (node.args.get("limit") or node.args.get("offset")) and (order_by := node.args.get("order")) is not None:
            rows.relations = [Relation(tuple(columns), others)]
            rows.decide([self.value(order_by, rows), *_at_positions(order_by, columns)])
        return Relation(tuple(columns), others, frozenset(rows.rows))

    def _values(self, node: exp.Values, scope: Scope) -> Relation:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        columns = (
            either(f"col{at}", (self.value(value, scope) for value in column), "derived")
            for at, column in enumerate(zip(*rows, strict=False))
        )
        return self._renamed(Relation(tuple(columns)), node.args.get("alias"))

    def _select(self, node: exp.Select, scope: Scope) -> Relation:
        if (from_ := node.args.get("from_")) is not None:
            self._join_in(from_.this, scope)
        for join in node.args.get("joins") or ():
            self._join(join, scope)
        for lateral in node.args.get("laterals") or ():
            self._join_in(lateral, scope)
        for window in node.args.get("windows") or ():
            scope.windows[self.names.fold(window.this)] = self.value(window, scope)
        columns: list[OutputColumn] = []
        unlisted: list[OtherColumns] = []
        for projection in node.expressions:
            found, others = self.projection(projection, scope)
            columns += found
            unlisted += [others] if others is not None else []
            if isinstance(projection, exp.Alias):
                scope.aliases.update({self.names.fold(column.name): column for column in found})
        self._choose_rows(node, columns, scope)
        return Relation(tuple(columns), joined_others(Relation((), others) for others in unlisted), frozenset(scope.rows))

    def _choose_rows(self, node: exp.Select, columns: list[OutputColumn], scope: Scope) -> None:
        """Note what decides which rows there are."""
        parts = [node.args.get(part) for part in ("where", "having", "qualify", "group")]
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is None:
            scope.decide(columns)
        parts.append(distinct)
        if node.args.get("limit") or node.args.get("offset") or distinct is not None:
            parts.append(node.args.get("order"))
        for part in parts:
            if part is not None:
                scope.decide([self.value(part, scope), *_at_positions(part, columns)])
        group = node.args.get("group")
        if group is not None and group.args.get("all"):
            scope.decide(column for column in columns if column.kind != "aggregated")

    # FROM

    def _join_in(self, node: exp.Expr, scope: Scope) -> Relation:
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table) and not node.alias:  # joins in parentheses
            relation = self._join_in(node.this, scope)
        else:
            relation = self._relation(node, scope)
            scope.relations.append(relation)
            scope.rows |= relation.rows
        for join in node.args.get("joins") or ():
            self._join(join, scope)
        return relation

    def _join(self, join: exp.Expr, scope: Scope) -> None:
        kind, side, method = (str(join.args.get(part) or "").upper() for part in ("kind", "side", "method"))
        before = list(scope.relations)
        left = Scope(relations=before, merged=dict(scope.merged))
        right = self._join_in(join.this, scope)
        names = [self.names.fold(name) for name in join.args.get("using") or ()]
        if method == "NATURAL":
            known = {self.names.fold(column.name) for relation in before for column in relation.columns}
            names = [key for column in right.columns if (key := self.names.fold(column.name)) in known]
        for name in names:
            of_left, of_right = self._side(name, left), self._side(name, Scope(relations=[right]))
            scope.decide([*of_left, *of_right])
            kept = [*of_left, *of_right] if side == "FULL" else of_right if side == "RIGHT" else of_left
            scope.merged[name] = either(name, kept, "derived" if len(kept) > 1 else "direct")
        if (on := join.args.get("on")) is not None:
            scope.decide([self.value(on, scope)])
        if kind in ("SEMI", "ANTI") or side in ("SEMI", "ANTI"):
            scope.relations = before

    def _side(self, name: str, scope: Scope) -> list[OutputColumn]:
        found = self.listed(name, scope)
        if found is None and (others := joined_others(scope.relations)) is not None:
            found = others.column(name)
        return [found] if found is not None else []

    def _relation(self, node: exp.Expr, scope: Scope) -> Relation:
        alias = node.args.get("alias")
        if isinstance(node, exp.Table) and all(isinstance(part, exp.Identifier) for part in node.parts):
            relation = self._renamed(self._table(node, scope), alias)
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            return self._renamed(self.query(node.this, scope.inner(correlated=True)), alias)
        elif isinstance(node, exp.Subquery):
            return self._renamed(self._alone(node, scope.inner(correlated=True)), alias)
        elif isinstance(node, exp.Values):
            return self._values(node, scope)
        else:
            relation = self._function(node, alias, scope)
        for pivot in node.args.get("pivots") or ():
            relation = self._renamed(pivoted(self, pivot, relation), pivot.args.get("alias"))
        return relation

    def _table(self, node: exp.Table, scope: Scope) -> Relation:
        parts = tuple(part.name for part in node.parts)
        folded = tuple(self.names.fold(part) for part in node.parts)
        if len(parts) == 1 and folded[0] in scope.ctes:
            return replace(scope.ctes[folded[0]], name=folded[0])
        if (made := scope.made.get(self._made_name(node))) is not None:
            return replace(made, name=folded[-1])
        if parts not in self._stored:
            self._stored[parts] = self._stored_table(parts, folded[-1])
        return self._stored[parts]

    def _stored_table(self, parts: tuple[str, ...], name: str) -> Relation:
        columns = self.schema_of(parts) if self.schema_of is not None else None
        if columns is None:
            return Relation((), OtherColumns(f"the columns of {'.'.join(parts)} are not known", parts), name=name)
        stored = (OutputColumn(column, frozenset({SourceColumn(parts, column)}), "direct") for column in columns)
        return Relation(tuple(stored), name=name)

    def _function(self, node: exp.Expr, alias: exp.Expr | None, scope: Scope) -> Relation:
        """What a table function gives: made from its arguments, or from files that it reads."""
        offset = node.args.get("offset")
        parts = (part for part in node.iter_expressions() if part is not alias and part is not offset)
        inside = either("", (self.value(part, scope) for part in parts), "derived")
        scope.rows |= inside.sources  # how long a list is, for example
        call = node.this if isinstance(node, (exp.Table, exp.Lateral)) else node
        called = (
            call.sql_name() if isinstance(call, exp.Func) and not isinstance(call, exp.Anonymous) else call.name
        ).casefold()
        if call.args.get("is_end_exclusive"):
            called = "range"
        names = [self.names.stored(column) for column in (alias.args.get("columns") or ())] if alias is not None else []
        if not names and called in _ONE_COLUMN:  # a relation of one column is that column too, under either name
            names = [called if alias is None or self.names.dialect == "duckdb" else alias.name]
        if isinstance(offset, exp.Identifier):
            names.append(offset.name)
        elif offset:
            names.append("ordinality")
        if names and not called.startswith(_FILES):
            columns = tuple(replace(inside, name=name) for name in names)
            return replace(self._renamed(Relation(columns), alias), columns=columns)
        others = OtherColumns(f"what the table function {called} gives is not known", sources=inside.sources)
        return self._renamed(Relation((), others, name=called), alias)


def _operands(node: exp.SetOperation) -> list[exp.Expr]:
    """The queries of a set operation: of a row of the same UNIONs all of them, of which there may be hundreds."""
    found = [node.expression]
    left = node.this
    how = [node.args.get(part) for part in ("distinct", "by_name")]
    while (
        type(left) is type(node) is exp.Union
        and [left.args.get(part) for part in ("distinct", "by_name")] == how
        and not any(left.args.get(part) for part in ("with_", "limit", "offset"))
    ):
        found.append(left.expression)
        left = left.this
    return [left, *reversed(found)]


def _under(names: list[str], columns: Iterable[OutputColumn]) -> tuple[OutputColumn, ...]:
    """The columns, the first of them under these names."""
    return tuple(replace(column, name=names[at]) if at < len(names) else column for at, column in enumerate(columns))


def _at_positions(part: exp.Expr, columns: Sequence[OutputColumn]) -> Iterable[OutputColumn]:
    """The columns that GROUP BY and ORDER BY name by their position, or all where they say so."""
    for item in part.args.get("expressions") or ():
        inner = item.this if isinstance(item, exp.Ordered) else item
        if isinstance(inner, exp.Literal) and inner.is_int and 0 < int(inner.this) <= len(columns):
            yield columns[int(inner.this) - 1]
        elif isinstance(inner, exp.Var) and inner.name.upper() == "ALL":
            yield from columns
