"""The columns of PIVOT and UNPIVOT, in each of their spellings."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from warehouse_assets.sql.column_expressions import Expressions
from warehouse_assets.sql.lineage import OtherColumns, OutputColumn, either
from warehouse_assets.sql.relations import Relation, Scope

__all__ = ["pivoted"]


def pivoted(resolver: Expressions, node: exp.Expr, relation: Relation) -> Relation:
    """What a PIVOT or UNPIVOT `node` makes of a relation."""
    scope = Scope(relations=[relation], rows=set(relation.rows))
    if node.args.get("unpivot"):
        columns, others = _unpivoted(resolver, node, relation, scope)
    else:
        columns, others = _pivoted(resolver, node, relation, scope)
    return Relation(tuple(columns), others, frozenset(scope.rows), relation.name)


def _pivoted(
    resolver: Expressions, node: exp.Expr, relation: Relation, scope: Scope
) -> tuple[list[OutputColumn], OtherColumns | None]:
    statement = not node.args.get("fields")  # PIVOT t ON … USING …, and not FROM t PIVOT (… FOR …)
    over = node.expressions if statement else node.args["fields"]
    aggregates = (node.args.get("using") or [] if statement else node.expressions) or [exp.Count(this=exp.Star())]
    values = [resolver.value(part.this if isinstance(part, exp.In) else part, scope) for part in over]
    made = [either("", [resolver.value(aggregate, scope), *values], "aggregated") for aggregate in aggregates]
    kept, others = _kept(resolver, [*over, *aggregates], relation)
    if (group := node.args.get("group")) is not None:
        grouped = [resolver.projection(part, scope) for part in group.expressions]
        kept, others = [column for columns, _ in grouped for column in columns], None
    scope.decide(kept)
    names = node.args.get("columns") if not statement else _names(resolver, over, aggregates)
    if names:
        pivots = [replace(made[at % len(made)], name=resolver.names.stored(name)) for at, name in enumerate(names)]
        return [*kept, *pivots], others
    whole = either("", made)
    why = "the columns of a PIVOT are the values of others"
    known = others is None and whole.opaque is None
    return kept, OtherColumns(why, (), whole.sources, known, "aggregated")


def _names(resolver: Expressions, over: list[exp.Expr], aggregates: list[exp.Expr]) -> list[exp.Expr]:
    """The names of the pivoted columns, where the values that make them are written down; none where they are in the data."""
    names = [""]
    for part in over:
        if not (isinstance(part, exp.In) and part.expressions):
            return []
        values = [value.alias or value.name for value in part.expressions]
        names = [f"{name}_{value}" if name else value for name in names for value in values]
    if len(aggregates) > 1 or isinstance(aggregates[0], exp.Alias):
        ends = [aggregate.alias or resolver.names.given(aggregate) for aggregate in aggregates]
        names = [f"{name}_{end}" for name in names for end in ends]
    return [exp.to_identifier(name, quoted=True) for name in names]


def _kept(resolver: Expressions, used: list[exp.Expr], relation: Relation) -> tuple[list[OutputColumn], OtherColumns | None]:
    """The columns of a relation that these expressions do not use."""
    names = {resolver.names.fold(column) for part in used for column in part.find_all(exp.Column)}
    return [column for column in relation.columns if resolver.names.fold(column.name) not in names], relation.others


def _unpivoted(
    resolver: Expressions, node: exp.Expr, relation: Relation, scope: Scope
) -> tuple[list[OutputColumn], OtherColumns | None]:
    into, fields = node.args.get("into"), node.args.get("fields")
    if fields:  # FROM t UNPIVOT (value FOR name IN (…))
        listed = fields[0].expressions
        name = resolver.names.stored(fields[0].this)
        outer = node.expressions[0]
        parts = outer.expressions if isinstance(outer, exp.Tuple) else node.expressions
        targets = [resolver.names.stored(part.this if isinstance(part, exp.Column) else part) for part in parts]
    else:  # UNPIVOT t ON … INTO NAME … VALUE …
        listed = node.expressions
        name = into.this.name if into is not None else "name"
        targets = [column.name for column in into.expressions] if into is not None else ["value"]
    made: list[list[OutputColumn]] = [[] for _ in targets]
    used: set[str] = set()
    for item in listed:
        inner = item.this if isinstance(item, (exp.Alias, exp.PivotAlias)) else item
        parts = inner.expressions if isinstance(inner, exp.Tuple) else [inner]
        found = [column for part in parts for column in resolver.projection(part, scope)[0]]
        used |= {resolver.names.fold(column.name) for column in found}
        several = isinstance(inner, exp.Tuple)
        for at, column in enumerate(found):
            made[at % len(made) if several else 0].append(column)
    if not node.args.get("include_nulls"):
        scope.decide(column for columns in made for column in columns)
    kept = [column for column in relation.columns if resolver.names.fold(column.name) not in used]
    values = [either(target, columns) for target, columns in zip(targets, made, strict=True)]
    return [*kept, OutputColumn(name), *values], relation.others
