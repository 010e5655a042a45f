"""What names in a query mean: relations with their columns, and the scopes in which they are seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from warehouse_assets.sql.lineage import OtherColumns, OutputColumn, SourceColumn

__all__ = ["Names", "Relation", "Scope", "joined_others"]

_NONE: frozenset[SourceColumn] = frozenset()


@dataclass(frozen=True, slots=True)
class Names:
    """How a dialect compares and stores names."""

    dialect: str

    def fold(self, name: exp.Expr | str) -> str:
        """A name, as written in a query or stored (then it is a str), in the form in which equal ones are the same text."""
        if isinstance(name, exp.Column):
            name = name.this
        if self.dialect not in ("postgres", "snowflake"):
            return (name if isinstance(name, str) else name.name).casefold()
        if isinstance(name, str) or name.args.get("quoted"):
            return name if isinstance(name, str) else name.name
        return name.name.upper() if self.dialect == "snowflake" else name.name.lower()

    def stored(self, name: exp.Expr) -> str:
        """A name as the dialect stores it."""
        return self.fold(name) if self.dialect in ("postgres", "snowflake") else name.name

    def given(self, node: exp.Expr) -> str:
        """What the dialect calls an expression that has no name of its own, as far as one can tell."""
        if isinstance(node, (exp.Column, exp.Dot)) and not isinstance(node.this, exp.Paren):
            return node.name
        if self.dialect == "postgres":
            return node.sql_name().lower() if isinstance(node, exp.Func) else "?column?"
        if self.dialect == "duckdb" and isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
            return "count_star()"
        text = node.sql(self.dialect, normalize_functions="lower")
        return f"({text})" if self.dialect == "duckdb" and isinstance(node, exp.Binary) else text


@dataclass(frozen=True)
class Relation:
    """Columns under a name, others that there may be, and the columns that decide which rows it has."""

    columns: tuple[OutputColumn, ...]
    others: OtherColumns | None = None
    rows: frozenset[SourceColumn] = _NONE
    name: str = ""
    _index: dict[str, OutputColumn] = field(default_factory=dict, init=False, compare=False, repr=False)

    def column(self, key: str, names: Names) -> OutputColumn | None:
        """The listed column whose folded name is `key`; of several the first, the others have a number at the end."""
        if not self._index:
            seen: Counter[str] = Counter()
            for column in self.columns:
                name = names.fold(column.name)
                self._index.setdefault(f"{name}_{seen[name]}" if seen[name] else name, column)
                seen[name] += 1
        return self._index.get(key)


@dataclass
class Scope:
    """What a name can mean at a place in a query; `rows` gathers what decides which rows the query has."""

    outer: Scope | None = None
    ctes: dict[str, Relation] = field(default_factory=dict)
    made: Mapping[tuple[str, ...], Relation] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    merged: dict[str, OutputColumn] = field(default_factory=dict)
    aliases: dict[str, OutputColumn] = field(default_factory=dict)
    windows: dict[str, OutputColumn] = field(default_factory=dict)
    rows: set[SourceColumn] = field(default_factory=set)

    def inner(self, *, correlated: bool) -> Scope:
        """The scope of a query inside this one, which sees its relations where it is correlated."""
        return Scope(self if correlated else self.outer, dict(self.ctes), self.made)

    def and_around(self) -> Iterator[Scope]:
        """This scope, and those of the queries around it that it sees."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def decide(self, columns: Iterable[OutputColumn]) -> None:
        """Note that these columns decide which rows there are."""
        for column in columns:
            self.rows |= column.sources | column.conditions


def joined_others(relations: Iterable[Relation]) -> OtherColumns | None:
    """The columns that are not listed, of all these relations together."""
    found = list(dict.fromkeys(relation.others for relation in relations if relation.others is not None))
    if len(found) < 2:
        return found[0] if found else None
    return OtherColumns("; ".join(other.why for other in found), sources=_NONE.union(*(other.sources for other in found)))
