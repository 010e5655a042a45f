"""SQL that somebody types into a page: whether it is one query over stored tables, and calls nothing that reaches beyond them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from sqlglot import exp

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.analysis import parsed, token_spans
from warehouse_assets.sql.calls import refuse_other_calls
from warehouse_assets.sql.names import KnownTables, is_engine_name, is_file_name

__all__ = ["only_reading", "reaches"]

_CHANGES = (exp.DDL, exp.DML, exp.Command, exp.Copy, exp.Set, exp.Pragma, exp.Attach, exp.Detach, exp.Into, exp.Lock)
_ROWS = {  # functions that stand for a table, and make it of their arguments alone
    "unnest", "explode", "posexplode", "flatten", "range", "generate_series", "generate_subscripts", "exploding_generate_series",
    "json_each", "json_tree", "jsonb_each", "jsonb_each_text", "json_each_text", "json_array_elements", "jsonb_array_elements",
    "json_array_elements_text", "jsonb_array_elements_text", "json_object_keys", "jsonb_object_keys", "string_to_table",
    "regexp_matches", "regexp_split_to_table",
}  # fmt: skip
_REACHES = re.compile(
    r"(pg|lo|mysql|sqlite|duckdb|pragma|dblink|txid|xp|sys|utl|dbms|st_read|read|load|write|copy|query|table_to|schema_to|database_to|cursor_to"
    r"|sniff|parquet|http|set_config|nextval|currval|lastval|which|get_lock|release|sleep|benchmark|inet|ts_stat|fts3)(_.*)?"
    r"|getenv|get_env|current_setting|force_checkpoint|checkpoint|edit|readfile|writefile|setval|setseed|shell.*|url_.*|open_.*"
    r"|master_pos_wait|extractvalue|updatexml|json_execute.*|.*_scan|.*_query|.*_execute|.*_exec|.*_import|.*_export|.*_secrets?|.*_file"
)
_PLAIN = re.compile(r"\w+")


def only_reading(text: str, dialect: str, keys: Collection[AssetKey]) -> str:
    """The text without its comments, everything else at its place; InvalidSQLError for one that is more than a query over these assets.

    A plain name that is no asset is left to whoever resolves the names, who knows the default schema of the store.

    >>> only_reading("select 1 -- one", "duckdb", [])
    'select 1       '
    """
    if "\0" in text:
        raise InvalidSQLError("the query holds a NUL character")
    bare = _without_comments(text, dialect)
    statements = parsed(bare, dialect)
    if len(statements) != 1:
        raise InvalidSQLError(
            f"it holds {len(statements)} statements, where one query is expected",
            hint=None if statements else "Write a SELECT.",
        )
    [(_, tree)] = statements
    if not isinstance(tree, (exp.Query, exp.Values, exp.Pivot)):
        raise InvalidSQLError("this is no query", hint="Only SELECT is answered here; nothing is written.")
    try:
        _check(tree, KnownTables(keys))
        if dialect == "mysql":
            refuse_other_calls(bare, dialect, tree)
    except RecursionError:
        raise InvalidSQLError("it is nested too deeply to be read") from None
    return bare


def reaches(function: str) -> bool:
    """Whether a function of a database, by its name, is one that reaches beyond stored tables."""
    return _REACHES.fullmatch(function.casefold()) is not None


def _without_comments(text: str, dialect: str) -> str:
    """Engines do not agree where a comment ends, and some run what stands in one; so they never see any."""
    kept: list[str] = []
    end = 0
    for start, stop in token_spans(text, dialect):
        kept += (_blank(text[end:start]), text[start:stop])
        end = stop
    return "".join((*kept, _blank(text[end:])))


def _blank(text: str) -> str:
    return "".join(character if character in "\n\r\t" else " " for character in text)


def _check(tree: exp.Expr, known: KnownTables) -> None:
    local = {name.casefold() for cte in tree.find_all(exp.CTE) if _PLAIN.fullmatch(name := cte.alias)}
    for node in tree.walk():
        if isinstance(node, _CHANGES):
            raise _refused(node, "it would change something")
        if isinstance(node, (exp.Parameter, exp.SessionParameter, exp.Placeholder)):
            raise _refused(node, "a variable is nothing of stored tables")
        if isinstance(node, exp.Func):
            for name in _names(node):
                if reaches(name):
                    raise _refused(node, f"the function {name} reaches beyond stored tables")
        if isinstance(node, (exp.Table, exp.Lateral)) and not isinstance(node.this, (exp.Identifier, exp.Query, exp.Subquery)):
            _check_rows(node, node.this)
        elif isinstance(node, exp.Table):
            parts = tuple(part.name for part in node.parts)
            is_name = len(parts) == 1 and parts[0].casefold() in local
            is_odd = is_file_name(parts) or is_engine_name(parts) or not all(map(_PLAIN.fullmatch, parts))
            if not is_name and is_odd and not known.meant(parts):
                raise _refused(node, f"{'.'.join(parts)!r} is no asset here")


def _check_rows(node: exp.Expr, source: exp.Expr | None) -> None:
    """Refuse a function in place of a table, other than those that make one of their arguments."""
    while isinstance(source, exp.Dot):
        source = source.expression
    names = set(_names(source)) if isinstance(source, exp.Func) else set()
    if not isinstance(source, exp.Values) and not names & _ROWS:
        said = next(iter(names), "") or (source.sql()[:60] if source is not None else "nothing")
        raise _refused(node, f"{said!r} cannot stand for a table here")


def _names(function: exp.Func) -> Iterator[str]:
    if isinstance(function, (exp.Anonymous, exp.AnonymousAggFunc)):
        yield str(function.this if isinstance(function.this, str) else function.this.name).casefold()
    else:
        yield from (name.casefold() for name in function.sql_names())


def _refused(node: exp.Expr, why: str) -> InvalidSQLError:
    found = next((one for one in node.walk() if "line" in one.meta), None)
    position = None
    if found is not None:
        position = (found.meta["line"], found.meta["col"] - (found.meta["end"] - found.meta["start"]))
    return InvalidSQLError(
        f"it is refused: {why}", hint="Only stored tables are read here; nothing is written.", position=position
    )
