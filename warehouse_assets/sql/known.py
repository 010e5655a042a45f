"""What is known of texts of SQL that were read before: in this process, and in those that read the same files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from warehouse_assets.errors import InvalidSQLError

if TYPE_CHECKING:
    from warehouse_assets.sql.references import Script
    from warehouse_assets.sql.remembered import Remembered

__all__ = ["learn", "remembered_of", "script_of"]

MANY = 100  # texts that are skimmed where that is sure, so that a faulty one may be noticed when it runs; few are read whole
_MOST = 50_000

_scripts: dict[tuple[str, str], Script] = {}
_remembered: dict[str, Remembered] = {}


def script_of(text: str, dialect: str) -> Script:
    """The statements of a text, and the tables that they name; InvalidSQLError where it is no query."""
    script = _scripts.get((dialect, text))
    if script is None:
        from warehouse_assets.sql.analysis import read_script

        script = _know(dialect, text, read_script(text, dialect))
    return script


def learn(queries: Iterable[tuple[str, str, str | None]]) -> None:
    """Read many queries at once, each given by its dialect, its text, and the folder of files that it is from, if it is.

    What was read of a folder is remembered for other processes. What cannot be read is left for `script_of` to refuse.
    """
    unknown: dict[tuple[str, str], Remembered | None] = {}
    for dialect, text, root in queries:
        remembered = remembered_of(root) if root is not None else None
        if remembered is not None and (script := remembered.script(dialect, text)) is not None:
            _know(dialect, text, script)
        elif (dialect, text) not in _scripts:
            unknown[dialect, text] = remembered
        elif remembered is not None:
            remembered.add_script(dialect, text, _scripts[dialect, text])
    many = len(unknown) >= MANY
    for (dialect, text), remembered in unknown.items():
        try:
            script = _skimmed(dialect, text) if many else script_of(text, dialect)
        except InvalidSQLError:
            continue
        if remembered is not None:
            remembered.add_script(dialect, text, script)
    for remembered in {id(each): each for each in _remembered.values()}.values():
        remembered.save()


def remembered_of(root: str) -> Remembered:
    """What is remembered of a folder of files, or of one file."""
    if root not in _remembered:
        from warehouse_assets.sql.remembered import Remembered

        _remembered[root] = Remembered.of(root)
    return _remembered[root]


def _skimmed(dialect: str, text: str) -> Script:
    from warehouse_assets.sql.skimming import DIALECTS, skim

    script = skim(text) if dialect in DIALECTS else None
    return script_of(text, dialect) if script is None else _know(dialect, text, script)


def _know(dialect: str, text: str, script: Script) -> Script:
    if len(_scripts) >= _MOST:
        _scripts.clear()
    _scripts[dialect, text] = script
    return script
