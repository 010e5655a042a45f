"""`SQL`: a query with its values bound, never pasted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from warehouse_assets.errors import InvalidSQLError, close_matches
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.composition import PLACEHOLDER, Identifier, bindable, is_template, of_template
from warehouse_assets.sql.known import script_of
from warehouse_assets.sql.names import KnownTables, is_engine_name, is_file_name
from warehouse_assets.sql.origin import SQLOrigin, place_made
from warehouse_assets.sql.references import Script, TableReference, replace_tables
from warehouse_assets.tables import Table

__all__ = ["SQL", "ResolvedSQL"]

_COMMENT = re.compile(r"--|#")
_END = re.compile(r";(\s|--[^\n]*(\n|$)|/\*.*?\*/)*$", re.DOTALL)


class SQL:
    """A query, as the value of an asset: the asset's table is made from it, in the engine that holds the table.

    It names real tables (`staging.orders`), those of the assets it depends on. `{name}` stands for a value given by keyword: a
    `Table` or an `Identifier` goes in as its quoted name, another `SQL` as a subquery, a list of them with commas between them, and
    anything else as a bound parameter. Braces that name no given value are left as they are. `origin` is where its text was written, `dialect` what its language is called in sqlglot,
    where they are known.

    >>> SQL("select * from {orders} where day > {since}", orders=Table(AssetKey("orders")), since=3)
    SQL('select * from "orders" where day > $since', since=3)
    """

    __slots__ = ("bindings", "dialect", "functions", "is_part", "made", "meant", "origin", "template", "written")

    origin: SQLOrigin | None
    dialect: str | None
    written: str  # the template before parameters of partitions had places in it
    made: tuple[str, int]  # the file and the line of the call
    meant: Mapping[tuple[str, ...], AssetKey]  # the assets that its names of tables were found to mean in a graph
    functions: Sequence[Any]  # of Python, that its engine is to know
    is_part: bool  # whether it goes into other SQL without parentheses

    def __init__(self, template: str, /, **bindings: Any) -> None:
        if is_template(template):
            template, values = of_template(template)
            if twice := sorted(values.keys() & bindings.keys()):
                raise InvalidSQLError(f"{twice[0]!r} is in the template, and given by name too")
            bindings |= values
        if not isinstance(template, str):
            raise InvalidSQLError(f"SQL is made from text, not from a value of type {type(template).__qualname__}")
        self.template = self.written = template
        self.made = place_made()
        self.functions = ()
        self.is_part = False
        self.bindings = {name: _part_or_value(name, value) for name, value in bindings.items()} if bindings else bindings
        self.origin = self.dialect = None
        self.meant = {}
        names = set(PLACEHOLDER.findall(template)) if bindings else set()
        if unused := sorted(bindings.keys() - names):
            guess = close_matches(unused[0], names) or "Write it in braces where it belongs."
            raise InvalidSQLError(f"the SQL has no place for {', '.join(map(repr, unused))}", hint=guess)

    @classmethod
    def join(cls, separator: str, parts: Iterable[SQL | Identifier | Table]) -> SQL:
        """Parts of a query, one after the other, with text between them; it goes into other SQL as it is, without parentheses.

        A list of parts that is given to SQL is joined by commas.

        >>> sums = SQL.join(", ", [SQL("sum({c}) as {c}", c=Identifier(name)) for name in ("net", "tax")])
        >>> SQL("select {sums} from bills", sums=sums)
        SQL('select sum("net") as "net", sum("tax") as "tax" from bills')
        """
        if PLACEHOLDER.search(separator):
            raise InvalidSQLError(f"the separator {separator!r} has a place for a value", hint="Join parts that have it.")
        values = {f"part_{number}": part for number, part in enumerate(parts, 1)}
        for value in values.values():
            if not isinstance(value, (SQL, Identifier, Table)):
                raise InvalidSQLError(
                    f"{value!r} is no part of a query",
                    hint="Join SQL, Identifier or Table; a value goes in as SQL('{v}', v=…).",
                )
        joined = cls("")
        joined.template = joined.written = separator.join(f"{{{name}}}" for name in values)
        joined.bindings = {name: value.as_part() if isinstance(value, SQL) else value for name, value in values.items()}
        joined.is_part = True
        return joined

    def as_part(self) -> Self:
        """The same text, which goes into other SQL as it is, without parentheses: a condition or a list of columns."""
        copy = self.told()
        copy.is_part = True
        return copy

    def told(self, *, origin: SQLOrigin | None = None, dialect: str | None = None) -> Self:
        """The same query, of which it is said where it was written and in which dialect."""
        copy = self.rewritten(self.template, self.bindings)
        copy.origin, copy.dialect = origin or self.origin, dialect or self.dialect
        return copy

    def meaning(self, tables: Mapping[tuple[str, ...], AssetKey]) -> Self:
        """The same query, of which it is said which assets the names of tables in it mean."""
        copy = self.told()
        copy.meant = tables
        return copy

    def rewritten(self, template: str, bindings: Mapping[str, Any]) -> Self:
        """Another text with other values, of which the same is known."""
        copy = object.__new__(type(self))
        copy.template, copy.bindings = template, dict(bindings)
        copy.origin, copy.dialect, copy.written, copy.made = self.origin, self.dialect, self.written, self.made
        copy.meant = self.meant
        copy.functions, copy.is_part = self.functions, self.is_part
        return copy

    def calling(self, functions: Sequence[Any]) -> Self:
        """The same query, whose engine is to know these Python functions."""
        if not functions:
            return self
        copy = self.rewritten(self.template, self.bindings)
        copy.functions = functions
        return copy

    def render(self, dialect: str | None = None) -> tuple[str, dict[str, Any]]:
        """The text with `$name` for each bound parameter, and the parameters by name.

        With a `dialect`, what stands in a comment is left alone, and a value inside quotes is an InvalidSQLError.
        """
        parameters: dict[str, Any] = {}
        return self._render(parameters, itertools.count(2), dialect), parameters

    def _render(self, parameters: dict[str, Any], numbers: Iterator[int], dialect: str | None) -> str:
        if not self.bindings:
            return self.template
        names: dict[str, str] = {}
        in_code = self._code_positions(dialect) if dialect is not None else None

        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name not in self.bindings or (in_code is not None and match.start() not in in_code):
                return match[0]
            value = self.bindings[name]
            if isinstance(value, (Table, Identifier)):
                return str(value)
            if isinstance(value, SQL):
                text = _without_end(value._render(parameters, numbers, dialect))
                return f"({text}\n)" if not value.is_part else f"{text}\n" if _COMMENT.search(text) else text
            if name not in names:
                names[name] = name if name not in parameters else f"{name}_{next(numbers)}"
                while names[name] in parameters:
                    names[name] = f"{name}_{next(numbers)}"
                parameters[names[name]] = value
            return f"${names[name]}"

        return PLACEHOLDER.sub(put, self.template)

    def _code_positions(self, dialect: str) -> set[int]:
        """Where the template has tokens outside of comments."""
        from warehouse_assets.sql.analysis import token_spans

        spans = list(token_spans(self.template, dialect))
        for match in PLACEHOLDER.finditer(self.template):
            if match[1] in self.bindings and any(start < match.start() < end for start, end in spans):
                raise InvalidSQLError(
                    f"it has {match[0]} inside quotes, where no value can be put", hint="Leave the quotes out."
                )
        return {start for start, _ in spans}

    def tables(self, dialect: str = "duckdb") -> tuple[tuple[str, ...], ...]:
        """The names of the tables that the query reads, as tuples of their parts, each once, in order of appearance."""
        return tuple(dict.fromkeys(reference.parts for reference in self.references(dialect)))

    def references(self, dialect: str = "duckdb") -> Sequence[TableReference]:
        """Each place in the rendered text where the query names a stored table. InvalidSQLError where it is no query."""
        return self.script(dialect).references

    def script(self, dialect: str = "duckdb") -> Script:
        """The rendered text as it was read: its statements, the last of which is the query, and the tables that they name.

        Raises InvalidSQLError where it is no query, or changes what is stored.
        """
        dialect = self.dialect or dialect
        return script_of(self.render(dialect)[0], dialect)

    def resolve(
        self,
        sources: Mapping[AssetKey, Any],
        *,
        asset_key: AssetKey | None = None,
        default_schema: str | None = None,
        dialect: str = "duckdb",
        several: bool = False,
    ) -> ResolvedSQL:
        """Match each table that the query reads with the asset, among the keys of `sources`, that it belongs to.

        Statements may stand before the query where `several` are run.
        Raises InvalidSQLError where it is no query, or reads a table that is not among them.
        """
        whose = f"the SQL of asset {asset_key.to_user_string()!r}" if asset_key else "the SQL"
        try:
            text, parameters = self.render(self.dialect or dialect)
            script = self.script(dialect)
            if len(script.statements) > 1 and not several:
                raise InvalidSQLError(f"it holds {len(script.statements)} statements, where one query is expected")
        except InvalidSQLError as error:
            raise self.placed(error, whose) from None
        known = KnownTables(sources, default_schema)
        found: list[tuple[TableReference, AssetKey]] = []
        for reference in script.references:
            key = self.meant.get(reference.parts)
            meant = [key] if key is not None and key in sources else known.meant(reference.parts, asset_key)
            if len(meant) == 1:
                found.append((reference, meant[0]))
            elif not (is_file_name(reference.parts) or is_engine_name(reference.parts)):
                message, hint = _unknown_table(reference, sources, asset_key)
                raise self._fault(message, text, reference.start, hint)
        return ResolvedSQL(text, parameters, tuple(found), script.statements)

    def placed(self, error: InvalidSQLError, whose: str) -> InvalidSQLError:
        """An error in the rendered text as one in the SQL of something, with its place in the file where that is known."""
        message = f"{whose}: {error.message}"
        if error.position is None:
            return InvalidSQLError(message, where=error.where, hint=error.hint)
        text, _ = self.render(self.dialect)
        line, column = error.position
        offset = sum(map(len, text.splitlines(keepends=True)[: line - 1])) + column - 1
        return self._fault(message, text, offset, error.hint)

    def _fault(self, message: str, text: str, offset: int, hint: str | None) -> InvalidSQLError:
        from warehouse_assets.sql.faults import fault_in

        return fault_in(self, message, text=text, position=offset, hint=hint)

    def __repr__(self) -> str:
        text, parameters = self.render()
        values = "".join(f", {name}={value!r}" for name, value in parameters.items())
        return f"SQL({text!r}{values})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SQL) and (self.template, self.bindings) == (other.template, other.bindings)

    __hash__ = None  # type: ignore[assignment]


def _without_end(text: str) -> str:
    """A query without the semicolon at its end, and the comments behind that."""
    return _END.sub("", text.strip())


def _part_or_value(name: str, value: Any) -> Any:
    """A value as SQL keeps it: a list of parts of a query as one, a template string as a query."""
    if isinstance(value, (SQL, Identifier, Table)):
        return value
    if is_template(value):
        return SQL(value)
    if isinstance(value, (list, tuple)) and any(isinstance(part, (SQL, Identifier, Table)) for part in value):
        return SQL.join(", ", value)
    return bindable(name, value)


@dataclass(frozen=True, slots=True)
class ResolvedSQL:
    """A query whose tables are matched with assets: ready for an engine, once each asset has a name there.

    `parameters` are to be bound by name; `statements` are the spans of text of those before the query, and of the query.
    """

    template: str
    parameters: Mapping[str, Any]
    references: tuple[tuple[TableReference, AssetKey], ...]
    statements: tuple[tuple[int, int], ...] = ()

    @property
    def tables(self) -> tuple[AssetKey, ...]:
        """The assets that the query reads, each once, in order of appearance."""
        return tuple(dict.fromkeys(key for _, key in self.references))

    def text(self, names: Mapping[AssetKey, str]) -> str:
        """The query with each table replaced by the SQL expression that `names` gives for its asset.

        A table that has no alias of its own keeps its name as one, so that `orders.id` still means what it did.
        """
        return replace_tables(self.template, [(reference, names[key]) for reference, key in self.references])

    def before(self, names: Mapping[AssetKey, str]) -> tuple[list[str], str]:
        """The statements that stand before the query, and the query alone, without a semicolon, with tables replaced as `text` does."""
        match self.statements:
            case ():
                return [], self.text(names)
            case ((_, end),):
                return [], self._part(names, 0, end)
        *first, query = (self._part(names, *span) for span in self.statements)
        return first, query

    def _part(self, names: Mapping[AssetKey, str], start: int, end: int) -> str:
        found = [
            (replace(reference, start=reference.start - start, end=reference.end - start), names[key])
            for reference, key in self.references
            if start <= reference.start < end
        ]
        return replace_tables(self.template[start:end], found)


def _unknown_table(
    reference: TableReference, sources: Mapping[AssetKey, Any], asset_key: AssetKey | None
) -> tuple[str, str | None]:
    """What is wrong with a table that is no asset here, and what to do about it."""
    known = sorted(key.to_user_string() for key in sources)
    reads = f"reads the table {'.'.join(reference.parts)!r}"
    if asset_key is None:
        message, hint = f"the SQL {reads}, which is no asset here", ""
    else:
        message = f"the SQL of asset {asset_key.to_user_string()!r} {reads}, which is not among its dependencies"
        hint = "Declare it with deps=[…] or an argument annotated Table. "
    listed = f"{'There are' if asset_key is None else 'Declared are'} {', '.join(known)}." if known else ""
    hint = close_matches("/".join(reference.parts), known) or (hint + listed).strip()
    return message, hint or None
