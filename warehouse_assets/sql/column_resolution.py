"""The resolution of names behind column lineage: relations in scope, and the columns they give. Loads sqlglot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.lineage import Lineage, OutputColumn, SchemaOf, SourceColumn

__all__ = ["resolve_columns"]

_PLAIN_FUNCTIONS = {"range", "generate_series", "generateseries"}


def resolve_columns(text: str, dialect: str, schema_of: SchemaOf | None) -> Lineage:
    """See `column_lineage`."""
    try:
        statements = [statement for statement in sqlglot.parse(text, dialect=dialect) if statement is not None]
    except (SqlglotError, RecursionError) as error:
        raise InvalidSQLError(f"it cannot be read: {error}") from None
    resolver = _Resolver(dialect, schema_of)
    made: dict[tuple[str, ...], _Relation] = {}
    relation: _Relation | None = None
    for statement in statements:
        query = statement.expression if isinstance(statement, (exp.Create, exp.Insert)) else statement
        relation = None
        if isinstance(query, (exp.Query, exp.Values, exp.Pivot)):
            relation = resolver.query(query, _Scope(made=made))
        if isinstance(statement, exp.Create) and relation is not None and (target := statement.find(exp.Table)) is not None:
            made[tuple(resolver.fold(part) for part in target.parts if isinstance(part, exp.Identifier))] = relation
    if relation is None:
        raise InvalidSQLError("its last statement is no query" if statements else "it holds no statement")
    return Lineage(tuple(relation.columns), frozenset(resolver.filters), relation.opaque)


@dataclass(frozen=True)
class _Relation:
    """Columns under a name. `opaque`: why there may be others; of a stored `table`, a column that is named is there."""

    columns: list[OutputColumn]
    opaque: str | None = None
    name: str = ""
    table: tuple[str, ...] = ()


@dataclass
class _Scope:
    """What a name can mean at a place in a query."""

    outer: _Scope | None = None
    ctes: dict[str, _Relation] = field(default_factory=dict)
    made: Mapping[tuple[str, ...], _Relation] = field(default_factory=dict)
    relations: list[_Relation] = field(default_factory=list)
    merged: dict[str, OutputColumn] = field(default_factory=dict)
    aliases: dict[str, OutputColumn] = field(default_factory=dict)
    windows: dict[str, OutputColumn] = field(default_factory=dict)

    def inner(self, *, correlated: bool) -> _Scope:
        return _Scope(self if correlated else self.outer, dict(self.ctes), self.made)


def _union(name: str, columns: Iterable[OutputColumn]) -> OutputColumn:
    parts = list(columns)
    sources = frozenset(source for column in parts for source in column.sources)
    return OutputColumn(name, sources, next((column.opaque for column in parts if column.opaque), None))


class _Resolver:
    def __init__(self, dialect: str, schema_of: SchemaOf | None) -> None:
        self.dialect = dialect
        self.schema_of = schema_of.get if isinstance(schema_of, Mapping) else schema_of
        self.filters: set[SourceColumn] = set()

    def fold(self, name: exp.Expr | str) -> str:
        """A name as the dialect compares it."""
        text = name if isinstance(name, str) else name.name
        quoted = isinstance(name, str) or bool(name.args.get("quoted"))
        if self.dialect in ("postgres", "snowflake"):
            return text if quoted else (text.upper() if self.dialect == "snowflake" else text.lower())
        return text.casefold()

    def spelled(self, name: exp.Expr) -> str:
        """A name as the dialect stores it."""
        return self.fold(name) if self.dialect in ("postgres", "snowflake") else name.name

    # Queries

    def query(self, node: exp.Expr, scope: _Scope) -> _Relation:
        """The columns that a query gives, in a scope of its own."""
        if (with_ := node.args.get("with_")) is not None:
            scope = replace(scope, ctes=dict(scope.ctes))
            for cte in with_.expressions:
                scope.ctes[self.fold(cte.args["alias"].this)] = self.cte(cte, scope, bool(with_.args.get("recursive")))
        if isinstance(node, exp.Subquery):
            if node.args.get("pivots") or node.args.get("joins"):
                return self.select(exp.select("*").from_(node.copy()), scope)
            return self.query(node.this, scope)
        if isinstance(node, exp.SetOperation):
            return self.set_operation(node, scope)
        if isinstance(node, exp.Select):
            return self.select(node, scope.inner(correlated=False))
        if isinstance(node, exp.Values):
            return self.values(node, scope)
        return _Relation([], opaque=f"the columns of {node.key.upper()} are known to the engine only")

    def cte(self, cte: exp.Expr, scope: _Scope, recursive: bool) -> _Relation:
        alias = cte.args["alias"]
        body = cte.this
        if not (recursive and isinstance(body, exp.SetOperation)):
            return self.renamed(self.query(body, scope), alias)
        relation = self.renamed(self.query(body.this, scope), alias)
        name = self.fold(alias.this)
        while True:  # sources only grow, and there are finitely many
            again = self.renamed(self.query(body, replace(scope, ctes={**scope.ctes, name: relation})), alias)
            if again == relation:
                return relation
            relation = again

    def renamed(self, relation: _Relation, alias: exp.Expr | None) -> _Relation:
        """The relation under an alias, with its column names where the alias has them."""
        if not isinstance(alias, exp.TableAlias):
            return relation
        names = [self.spelled(column) for column in alias.args.get("columns") or ()]
        columns = [
            replace(column, name=names[index] if index < len(names) else column.name)
            for index, column in enumerate(relation.columns)
        ]
        if relation.opaque and names and not relation.columns:
            columns = [OutputColumn(name, opaque=relation.opaque) for name in names]
        name = self.fold(alias.this) if alias.this is not None else relation.name
        return replace(relation, columns=columns, name=name)

    def set_operation(self, node: exp.SetOperation, scope: _Scope) -> _Relation:
        left, right = self.query(node.this, scope), self.query(node.expression, scope)
        opaque = left.opaque or right.opaque
        if not isinstance(node, exp.Union) or node.args.get("distinct"):
            self.filter(left.columns + right.columns)
        if isinstance(node, exp.Except):
            return replace(left, opaque=opaque)
        if node.args.get("by_name"):
            names = {self.fold(column.name): column.name for column in reversed(left.columns + right.columns)}
            order = dict.fromkeys(self.fold(column.name) for column in left.columns + right.columns)
            both = left.columns + right.columns
            return _Relation([_union(names[key], (c for c in both if self.fold(c.name) == key)) for key in order], opaque)
        if opaque:
            return _Relation([replace(column, opaque=opaque) for column in left.columns], opaque)
        return _Relation([_union(a.name, (a, b)) for a, b in zip(left.columns, right.columns, strict=False)])

    def values(self, node: exp.Values, scope: _Scope) -> _Relation:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        columns = [
            _union(f"col{i}", (self.value(v, scope) for v in column)) for i, column in enumerate(zip(*rows, strict=False))
        ]
        return self.renamed(_Relation(columns), node.args.get("alias"))

    def select(self, node: exp.Select, scope: _Scope) -> _Relation:
        if (from_ := node.args.get("from_")) is not None:
            self.join_in(from_.this, scope)
        for join in node.args.get("joins") or ():
            self.join(join, scope)
        for lateral in node.args.get("laterals") or ():
            self.join_in(lateral, scope)
        for window in node.args.get("windows") or ():
            scope.windows[self.fold(window.this)] = self.value(window, scope)
        columns: list[OutputColumn] = []
        opaque: str | None = None
        for projection in node.expressions:
            found, why = self.projection(projection, scope)
            columns += found
            opaque = opaque or why
            scope.aliases.update({self.fold(column.name): column for column in found if isinstance(projection, exp.Alias)})
        parts = [node.args.get(part) for part in ("where", "having", "qualify", "group")]
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is None:
            self.filter(columns)
        parts.append(distinct)
        if node.args.get("limit") or node.args.get("offset") or distinct is not None:
            parts.append(node.args.get("order"))
        for part in parts:
            if part is not None:
                self.filter([self.value(part, scope)])
                self.filter(
                    columns[int(position.this) - 1]
                    for position in getattr(part, "expressions", ())
                    if isinstance(position, exp.Literal) and position.is_int and 0 < int(position.this) <= len(columns)
                )
        group = node.args.get("group")
        if group is not None and group.args.get("all"):
            self.filter(
                column
                for projection in node.expressions
                if projection.find(exp.AggFunc) is None
                for column in self.projection(projection, scope)[0]
            )
        return _Relation(columns, opaque)

    def filter(self, columns: Iterable[OutputColumn]) -> None:
        self.filters.update(source for column in columns for source in column.sources)

    # FROM

    def join_in(self, node: exp.Expr, scope: _Scope) -> _Relation:
        relation = self.relation(node, scope)
        scope.relations.append(relation)
        for join in node.args.get("joins") or ():
            self.join(join, scope)
        return relation

    def join(self, join: exp.Expr, scope: _Scope) -> None:
        kind, side, method = (str(join.args.get(part) or "").upper() for part in ("kind", "side", "method"))
        before = list(scope.relations)
        left = _Scope(relations=before, merged=dict(scope.merged))
        right = self.join_in(join.this, scope)
        names = [self.fold(name) for name in join.args.get("using") or ()]
        if method == "NATURAL":
            known = {self.fold(column.name) for relation in before for column in relation.columns}
            names = [column.name for column in right.columns if self.fold(column.name) in known]
        for name in names:
            sides = self.lookup(name, left), self.lookup(name, _Scope(relations=[right]))
            self.filter(column for column in sides if column is not None)
            kept = sides if side == "FULL" else sides[1:] if side == "RIGHT" else sides[:1]
            scope.merged[self.fold(name)] = _union(name, (column for column in kept if column is not None))
        if (on := join.args.get("on")) is not None:
            self.filter([self.value(on, scope)])
        if kind in ("SEMI", "ANTI") or side in ("SEMI", "ANTI"):
            scope.relations = before

    def relation(self, node: exp.Expr, scope: _Scope) -> _Relation:
        alias = node.args.get("alias")
        if node.args.get("pivots"):
            kind = "UNPIVOT" if node.args["pivots"][0].args.get("unpivot") else "PIVOT"
            last = node.args["pivots"][-1].args.get("alias")
            return self.renamed(_Relation([], f"the columns of {kind} are not followed"), last if last is not None else alias)
        if isinstance(node, exp.Table) and all(isinstance(part, exp.Identifier) for part in node.parts):
            return self.renamed(self.table(node, scope), alias)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            return self.renamed(self.query(node.this, scope.inner(correlated=True)), alias)
        if isinstance(node, exp.Subquery):
            return self.renamed(self.query(node, scope.inner(correlated=True)), alias)
        if isinstance(node, exp.Values):
            return self.values(node, scope)
        return self.function(node, alias, scope)

    def table(self, node: exp.Table, scope: _Scope) -> _Relation:
        parts = tuple(part.name for part in node.parts)
        folded = tuple(self.fold(part) for part in node.parts)
        if len(parts) == 1 and folded[0] in scope.ctes:
            return replace(scope.ctes[folded[0]], name=folded[0])
        if folded in scope.made:
            return replace(scope.made[folded], name=folded[-1])
        columns = self.schema_of(parts) if self.schema_of is not None else None
        if columns is None:
            return _Relation([], f"the columns of {'.'.join(parts)} are not known", folded[-1], parts)
        return _Relation([OutputColumn(c, frozenset({SourceColumn(parts, c)})) for c in columns], None, folded[-1])

    def function(self, node: exp.Expr, alias: exp.Expr | None, scope: _Scope) -> _Relation:
        inside = _union("", (self.value(part, scope) for part in node.iter_expressions() if part is not alias))
        call = node.this if isinstance(node, (exp.Table, exp.Lateral)) else node
        if isinstance(call, exp.Unnest) or call.key in _PLAIN_FUNCTIONS or call.name.casefold() in _PLAIN_FUNCTIONS:
            names = [self.spelled(column) for column in (alias.args.get("columns") or ())] if alias is not None else []
            given = names or [
                "unnest" if isinstance(call, exp.Unnest) else "range" if "range" in call.key else "generate_series"
            ]
            return self.renamed(_Relation([replace(inside, name=name) for name in given]), alias)
        why = f"what the table function {call.name or call.key} gives is not known"
        return self.renamed(_Relation([], why), alias)

    # Expressions

    def projection(self, node: exp.Expr, scope: _Scope) -> tuple[list[OutputColumn], str | None]:
        star = node.this if isinstance(node, exp.Column) else node
        if isinstance(star, exp.Star):
            return self.star(star, node.args.get("table") if isinstance(node, exp.Column) else None, scope)
        if node.find(exp.Columns) is not None or (node.find(exp.Star) is not None and node.find(exp.Count) is None):
            return [], "what COLUMNS selects is not followed"
        found = self.value(node.this if isinstance(node, exp.Alias) else node, scope)
        if isinstance(node, exp.Alias):
            return [replace(found, name=self.spelled(node.args["alias"]))], None
        return [replace(found, name=node.name if isinstance(node, (exp.Column, exp.Dot)) else node.sql(self.dialect))], None

    def star(self, star: exp.Star, table: exp.Expr | None, scope: _Scope) -> tuple[list[OutputColumn], str | None]:
        wanted = [r for r in scope.relations if table is None or r.name == self.fold(table)]
        opaque = next((relation.opaque for relation in wanted if relation.opaque), None)
        excluded = {self.fold(name.name) for name in star.args.get("except_") or ()}
        replaced = {self.fold(alias.alias): alias for alias in star.args.get("replace") or ()}
        renames = {self.fold(alias.this.name): alias.alias for alias in star.args.get("rename") or ()}
        columns, merged = [], set()
        for column in (column for relation in wanted for column in relation.columns):
            key = self.fold(column.name)
            if key in excluded or key in merged:
                continue
            if table is None and key in scope.merged:
                merged.add(key)
                column = replace(scope.merged[key], name=column.name)
            if key in replaced:
                column = replace(self.value(replaced[key].this, scope), name=column.name)
            columns.append(replace(column, name=renames.get(key, column.name)))
        return columns, opaque

    def value(self, node: exp.Expr, scope: _Scope) -> OutputColumn:
        """What an expression is computed from, with its subqueries; the name is left empty."""
        return _union("", self.parts(node, scope, frozenset()))

    def parts(self, node: exp.Expr, scope: _Scope, bound: frozenset[str]) -> Iterator[OutputColumn]:
        if isinstance(node, exp.Column):
            if self.fold(node.parts[0]) not in bound:
                yield self.column(node, scope)
            return
        if isinstance(node, (exp.Query, exp.SetOperation)):
            yield from self.query(node, scope.inner(correlated=True)).columns
            return
        if isinstance(node, exp.Window) and (name := node.args.get("alias")) is not None:
            yield scope.windows.get(self.fold(name), OutputColumn(""))
        if isinstance(node, exp.Lambda):
            bound |= {self.fold(name) for name in node.expressions}
        for part in node.iter_expressions():
            yield from self.parts(part, scope, bound)

    def column(self, node: exp.Column, scope: _Scope | None) -> OutputColumn:
        names = [part for part in node.parts if isinstance(part, exp.Identifier)]
        if not names:
            return OutputColumn("")
        while scope is not None:
            for index in range(len(names) - 1):  # the name of a relation, then a column, then fields of it
                for relation in scope.relations:
                    if relation.name == self.fold(names[index]):
                        found = self.lookup(names[index + 1], _Scope(relations=[relation]))
                        if found is not None:
                            return found
            if (found := self.lookup(names[0], scope)) is not None:
                return found
            scope = scope.outer
        return OutputColumn("", opaque=f"the column {node.sql(self.dialect)} is not known")

    def lookup(self, name: exp.Expr | str, scope: _Scope) -> OutputColumn | None:
        """The column of a name in a scope alone: of what it selects from, then of its aliases, then a whole row."""
        key = self.fold(name)
        if key in scope.merged:
            return scope.merged[key]
        for relation in scope.relations:
            for column in relation.columns:
                if self.fold(column.name) == key:
                    return column
        if key in scope.aliases:
            return scope.aliases[key]
        for relation in scope.relations:
            if relation.name == key:
                return replace(_union("", relation.columns), opaque=relation.opaque)
        unknown = [relation for relation in scope.relations if relation.opaque]
        text = name if isinstance(name, str) else name.name
        if len(unknown) == 1 and unknown[0].table:
            return OutputColumn(text, frozenset({SourceColumn(unknown[0].table, text)}))
        return OutputColumn(text, opaque=unknown[0].opaque) if unknown else None
