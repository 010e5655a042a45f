"""Python functions that SQL calls, in DuckDB: as it runs a query, with its rows one by one or as Arrow arrays."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias

import duckdb

from warehouse_assets.errors import InvalidDefinitionError

__all__ = ["FunctionKind", "SQLFunction", "named_functions", "register", "sql_function"]

FunctionKind: TypeAlias = Literal["native", "arrow"]

_TYPES: dict[Any, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    bytes: "BLOB",
    date: "DATE",
    datetime: "TIMESTAMP",
    time: "TIME",
    timedelta: "INTERVAL",
    Decimal: "DECIMAL(38, 9)",
}
_BUILT_IN = "select 1 from duckdb_functions() where internal and lower(function_name) = lower($name) limit 1"
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class SQLFunction:
    """A Python function under the name and with the types by which SQL calls it; it can still be called from Python."""

    function: Callable[..., Any]
    name: str
    parameters: tuple[str, ...]
    returns: str
    kind: FunctionKind = "native"
    takes_null: bool = False
    is_volatile: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.function

    @property
    def called(self) -> Callable[..., Any]:
        """The function, with errors that say which function they are of."""

        @functools.wraps(self.function)
        def call(*args: Any) -> Any:
            try:
                return self.function(*args)
            except Exception as error:
                code = getattr(self.function, "__code__", None)
                place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
                raise RuntimeError(f"the SQL function {self.name}{place} raised {type(error).__name__}: {error}") from error

        return call


def sql_function(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    parameters: Sequence[str] | None = None,
    returns: str | None = None,
    type: FunctionKind = "native",
    takes_null: bool = False,
    is_volatile: bool = False,
) -> Any:
    """A Python function that the SQL of a manager can call: `DuckDBIOManager(functions=[…])`.

    Its types are those of its annotations, `list[int]` and `int | None` among them, or DuckDB's, as in `returns="UINTEGER"`. It
    gets the values of a row, or, with `type="arrow"`, whole Arrow arrays, whose types are to be given. A NULL makes the result
    NULL without a call, unless it `takes_null`. One that `is_volatile` is called for each row, although its arguments are the same.

    >>> @sql_function
    ... def initials(name: str) -> str:
    ...     return "".join(word[0] for word in name.split())
    >>> initials.parameters, initials.returns, initials("Ada Lovelace")
    (('VARCHAR',), 'VARCHAR', 'AL')

    Raises InvalidDefinitionError for types that are missing, or that DuckDB has no equal for.
    """

    def declared(function: Callable[..., Any]) -> SQLFunction:
        own = str(name or getattr(function, "__name__", ""))
        if not _NAME.fullmatch(own):
            raise InvalidDefinitionError(f"{own!r} is no name for a SQL function", hint='Give one: sql_function(name="…").')
        hints = {} if parameters is not None and returns is not None else _hints(function, own)
        given = parameters if parameters is not None else [_type_of(hints, each, own, type) for each in _arguments(function)]
        result = returns or _type_of(hints, "return", own, type)
        return SQLFunction(function, own, tuple(given), result, type, takes_null, is_volatile)

    if type not in typing.get_args(FunctionKind):
        raise InvalidDefinitionError(f"the type of a SQL function is {type!r}", hint='It is "native" or "arrow".')
    return declared if function is None else declared(function)


def named_functions(functions: Iterable[Any]) -> Mapping[str, SQLFunction]:
    """Functions by the names that SQL has for them; plain Python functions are taken by their annotations.

    InvalidDefinitionError for two of one name.
    """
    named: dict[str, SQLFunction] = {}
    for each in functions:
        function = each if isinstance(each, SQLFunction) else sql_function(each)
        if named.setdefault(function.name.casefold(), function) is not function:
            raise InvalidDefinitionError(f"two SQL functions are called {function.name!r}")
    return named


def register(connection: duckdb.DuckDBPyConnection, function: SQLFunction) -> None:
    """Let the SQL of a connection, and of all others on its database, call a function; one of its name makes way."""
    options: dict[str, Any] = {"type": function.kind, "side_effects": function.is_volatile}
    if function.takes_null:
        options["null_handling"] = "special"
    with contextlib.suppress(duckdb.Error):  # there is none
        connection.remove_function(function.name)
    if connection.execute(_BUILT_IN, {"name": function.name}).fetchall():
        raise InvalidDefinitionError(
            f"DuckDB has a function {function.name!r} of its own", hint='Give another name: sql_function(name="…").'
        )
    try:
        connection.create_function(function.name, function.called, list(function.parameters), function.returns, **options)
    except duckdb.Error as error:
        raise InvalidDefinitionError(f"the SQL function {function.name!r} cannot be made: {error}") from None


def _hints(function: Callable[..., Any], name: str) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:  # noqa: BLE001 - of whatever the annotations name
        raise InvalidDefinitionError(f"the annotations of the SQL function {name!r} cannot be read: {error}") from None


def _arguments(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _type_of(hints: Mapping[str, Any], argument: str, name: str, kind: str) -> str:
    found = None if kind == "arrow" else _sql_type(hints.get(argument))
    if found is None:
        what = "its result" if argument == "return" else f"its argument {argument!r}"
        raise InvalidDefinitionError(
            f"nothing says which SQL type {what} has, of the SQL function {name!r}",
            hint='Annotate it with int, float, str, bool, bytes, date, datetime or list[…], or give parameters=["…"], returns="…".',
        )
    return found


def _sql_type(hint: Any) -> str | None:
    if hint in _TYPES:
        return _TYPES[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        [*some] = [each for each in inner if each is not NoneType]
        return _sql_type(some[0]) if len(some) == 1 else None
    if origin in (list, Sequence) and inner:
        item = _sql_type(inner[0])
        return None if item is None else f"{item}[]"
    return None
