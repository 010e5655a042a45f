"""Views that read a table in PostgreSQL, which have to be gone for a moment when another takes its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.errors import TableError
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    from io_managers.sqlalchemy.dialect import Dialect, Session

__all__ = ["Views"]

_FOUND = """
with recursive found(oid, depth) as (
    select v.oid, 1 from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class
    where d.classid = 'pg_rewrite'::regclass and d.refobjid = to_regclass($_wa_t_0) and v.oid <> d.refobjid
    union
    select v.oid, f.depth + 1 from found f join pg_depend d on d.refobjid = f.oid join pg_rewrite r on r.oid = d.objid
    join pg_class v on v.oid = r.ev_class where d.classid = 'pg_rewrite'::regclass and v.oid <> f.oid
)
select format('%I.%I', n.nspname, v.relname), v.relkind::text, v.relhastriggers, pg_get_viewdef(v.oid), v.reloptions,
    array(select format('grant %s on %I.%I to %s%s', a.privilege_type, n.nspname, v.relname,
            case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
            case when a.is_grantable then ' with grant option' else '' end)
        from aclexplode(v.relacl) a where a.grantee <> v.relowner)
    || array(select format('comment on view %I.%I is %L', n.nspname, v.relname, d.description)
        from pg_description d where d.objoid = v.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0)
    || array(select format('comment on column %I.%I.%I is %L', n.nspname, v.relname, c.attname, d.description)
        from pg_description d join pg_attribute c on c.attrelid = v.oid and c.attnum = d.objsubid
        where d.objoid = v.oid and d.classoid = 'pg_class'::regclass and d.objsubid > 0)
    || case when v.relowner = (select oid from pg_roles where rolname = current_user) then '{}' else
        array[format('alter view %I.%I owner to %I', n.nspname, v.relname, pg_get_userbyid(v.relowner))] end
from (select oid, max(depth) as depth from found group by oid) f join pg_class v using (oid)
join pg_namespace n on n.oid = v.relnamespace order by f.depth, v.oid
"""


@dataclass(frozen=True, slots=True)
class _View:
    name: str
    query: str
    options: Sequence[str]
    statements: Sequence[str]


class Views:
    """The views that read a table, those that read these among them: taken down, and put up again over what is in its place then.

    All is in one transaction, so that others see them all the time, and none is lost where that fails.
    """

    def __init__(self, session: Session, table: TableName, quoted: str) -> None:
        self._session = session
        self._table = table
        self._views: list[_View] = []
        for name, kind, has_triggers, query, options, statements in session.execute(_FOUND, {"_wa_t_0": quoted}):
            if kind != "v" or has_triggers:
                what = "a view with triggers" if kind == "v" else "a materialized view"
                raise TableError(
                    f"{table} cannot be replaced by a table with other columns, since {what} reads it: {name}",
                    hint="Drop it, and make it again when the table is written.",
                )
            self._views.append(_View(name, query, options or (), statements))

    def take_down(self) -> None:
        """Remove them."""
        for view in reversed(self._views):
            self._session.run(f"drop view {view.name}")

    def put_up(self, dialect: Dialect) -> None:
        """Make them again; TableError where one reads what there is no more."""
        for view in self._views:
            options = f" with ({', '.join(view.options)})" if view.options else ""
            try:
                self._session.run(f"create view {view.name}{options} as {view.query}")
            except Exception as error:
                if not (dialect.is_own_error(error) and dialect.is_bad_sql(error)):
                    raise
                raise TableError(
                    f"{self._table} cannot be replaced by a table with other columns, since the view {view.name} reads it: "
                    f"{str(error).splitlines()[0]}",
                    hint="Change the view, or drop it and make it again when the table is written.",
                ) from None
            for statement in view.statements:
                self._session.run(statement)
