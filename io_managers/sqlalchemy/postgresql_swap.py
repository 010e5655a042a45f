"""Putting a new table into the place of one that others in PostgreSQL know: its views, grants and indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from io_managers.sqlalchemy.postgresql_views import Views
from io_managers.views import MARK
from warehouse_assets.errors import TableError
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    from io_managers.sqlalchemy.dialect import Dialect, Session

__all__ = ["put_in_place"]

_STATE = """
select
    c.relkind::text,
    obj_description(c.oid, 'pg_class'),
    (select string_agg(distinct format('%I.%I', n.nspname, v.relname), ', ')
        from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class
        join pg_namespace n on n.oid = v.relnamespace
        where d.classid = 'pg_rewrite'::regclass and d.refobjid = c.oid and v.oid <> c.oid),
    c.relkind = 'p' or c.relhasindex or c.relhastriggers or c.relrowsecurity or c.relispartition
        or exists (select from pg_constraint k where c.oid in (k.conrelid, k.confrelid))
        or exists (select from pg_publication_rel p where p.prrelid = c.oid)
from pg_class c where c.oid = to_regclass($_wa_t_0)
"""

_GRANTS = """
select format('grant %s on {new} to %s%s', a.privilege_type,
    case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
    case when a.is_grantable then ' with grant option' else '' end)
from pg_class c, aclexplode(c.relacl) a where c.oid = to_regclass($_wa_t_0) and a.grantee <> c.relowner
"""


def put_in_place(dialect: Dialect, session: Session, staged: TableName, table: TableName) -> None:
    """Make the staged table or view the one of this name, inside of the open transaction.

    A table with views, indexes, constraints or triggers is kept where the columns are the same ones, and its rows are replaced.
    Else it is dropped, what was granted on it is granted on the new one, and the views that read it are made again. TableError
    where one of them cannot be, or where there is something that was not made here.
    """
    old, new = dialect.full(table), dialect.full(staged)
    state = session.execute(_STATE, {"_wa_t_0": old})
    views = None
    if state:
        [(relkind, comment, readers, is_used)] = state
        if relkind not in ("r", "p") and (relkind, comment) != ("v", MARK):
            raise TableError(f"{table} is a view or a foreign table, not a table", hint=f"Drop it first: drop view {old}")
        are_tables = relkind != "v" and not dialect.is_view(session, staged)
        if are_tables and (readers or is_used) and dialect.describe(session, staged) == dialect.describe(session, table):
            _replace_rows(dialect, session, staged, table)
            return
        for (grant,) in session.execute(_GRANTS.replace("{new}", new.replace("%", "%%").replace("'", "''")), {"_wa_t_0": old}):
            session.run(grant)
        if readers:
            views = Views(session, table, old)
            views.take_down()
        dialect.remove(session, table)
    session.run(f"alter table {new} rename to {dialect.quote(table.table)}")
    if views is not None:
        views.put_up(dialect)


def _replace_rows(dialect: Dialect, session: Session, staged: TableName, table: TableName) -> None:
    old, new = dialect.full(table), dialect.full(staged)
    session.run(f"delete from {old}")  # and not TRUNCATE, after which readers with an older view of the data would see no row
    names = ", ".join(map(dialect.quote, dialect.describe(session, table) or ()))
    session.run(f"insert into {old} ({names}) select {names} from {new}")
    dialect.note(session, table, dialect.notes(session, staged))
    dialect.drop(session, staged)
