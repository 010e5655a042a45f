"""Which columns a query may read, by the names that stand in its text. Loads sqlglot, so it is imported when used."""

from __future__ import annotations

from sqlglot import exp, tokenize

from warehouse_assets.sql.analysis import parsed

__all__ = ["names_in"]


def names_in(text: str, dialect: str = "duckdb") -> frozenset[str] | None:
    """The names in a query, without case, among which are those of all columns that it reads; None where they may be any.

    A column whose name stands nowhere in the text is read only by what stands for columns without a name: a star, a natural join,
    a pivot, a whole row. Such a thing is looked for, and a star is let pass only where a select around it names what it takes.

    >>> names = names_in("with t as (select * from orders) select id, count(*) from t where kind = 'a' group by id")
    >>> {"id", "kind", "amount"} & names == {"id", "kind"}
    True
    >>> names_in("select * from orders") is None
    True
    """
    statements = parsed(text, dialect)
    if len(statements) != 1 or '""' in text or "``" in text or "u&" in text.casefold():
        return None
    query = statements[0][1]
    if query is None or _is_unsure(query):
        return None
    return frozenset(token.text.casefold() for token in tokenize(text, dialect=dialect))


def _is_unsure(query: exp.Expr) -> bool:
    """Whether the query may read columns that it does not name."""
    if not isinstance(query, exp.Query) or query.find(exp.Pivot, exp.Columns, exp.Command) is not None:
        return True
    if any(str(join.args.get("method") or "").upper() == "NATURAL" for join in query.find_all(exp.Join)):
        return True
    if any(alias.args.get("columns") for alias in query.find_all(exp.TableAlias)):
        return True  # which renames columns by their place
    tables = {table.alias_or_name.casefold() for table in query.find_all(exp.Table, exp.Subquery, exp.CTE)}
    if any(column.name.casefold() in tables for column in query.find_all(exp.Column)):
        return True  # a whole row
    stars = [star for star in query.find_all(exp.Star) if not isinstance(star.parent, exp.Count)]
    return bool(stars) and (query.find(exp.SetOperation) is not None or not all(map(_is_passed_on, stars)))


def _is_passed_on(star: exp.Expr) -> bool:
    """Whether a star is of a plain select over one table, whose columns a select around it takes by their names."""
    select = star.parent
    if isinstance(select, exp.Column):
        select = select.parent
    if not isinstance(select, exp.Select) or any(
        select.args.get(part) for part in ("joins", "laterals", "distinct", "group", "having", "qualify", "kind")
    ):
        return False
    around = select.parent
    return isinstance(around, exp.CTE) or (isinstance(around, exp.Subquery) and isinstance(around.parent, (exp.From, exp.Join)))
