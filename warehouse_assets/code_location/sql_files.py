"""`load_assets_from_sql_files`: a folder of `.sql` files as assets, each file the query that makes one table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from warehouse_assets.code_location.sql_headers import Header, Section, asset_options
from warehouse_assets.definitions.naming import Faults, caller_frame, caller_place
from warehouse_assets.definitions.sql_asset import sql_asset
from warehouse_assets.errors import InvalidDefinitionError, close_matches
from warehouse_assets.garbage import uncollected
from warehouse_assets.keys import AssetKey, CoercibleToKeyPrefix, key_prefix_segments
from warehouse_assets.sql.known import remembered_of
from warehouse_assets.sql.origin import SQLOrigin
from warehouse_assets.sql.value import SQL

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.checks import AssetChecksDefinition

__all__ = ["SQLFile", "load_assets_from_sql_files", "read_section"]

_HEADER = re.compile(
    r"\ufeff?\s*/\*[ \t]*---[ \t]*(?:\r?\n|(?=\*/))(.*?)(?:^[ \t]*---[ \t]*)?\*/[ \t]*(?:\r?\n)?", re.DOTALL | re.MULTILINE
)
_BEGINNING = re.compile(r"\ufeff?\s*/\*[ \t]*---")
_JINJA = re.compile(r"\{\{-?\s*(?:ref|source|config|var|env_var|this|target|adapter|dbt_utils)\b[^}]*\}\}|\{%.*?%\}", re.DOTALL)


def load_assets_from_sql_files(
    path: str | os.PathLike[str],
    *,
    group_name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    io_manager_key: str | None = None,
    dialect: str | None = None,
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] | None = None,
    kinds: Iterable[str] = (),
) -> list[AssetsDefinition | AssetChecksDefinition]:
    """The assets of the `.sql` files in a folder and in those below it, or of one file, with the checks that they declare.

    The path of a file in the folder is the key of its asset: `staging/orders.sql` makes `staging/orders`, after `key_prefix`. A
    relative `path` begins where the calling file is. A file may begin with a header of YAML, in a comment between `/* ---` and
    `--- */`, and have more beside it, in a file of the same name that ends with `.yaml` or `.yml`. `group_name`, `io_manager_key`
    and `dialect` are those of files that name none; `tags`, `owners` and `kinds` are added to theirs.

    Raises InvalidDefinitionError, or a group of all faults in the folder.
    """
    root, files = _found(path)
    faults = Faults()
    common = {"group_name": group_name, "io_manager_key": io_manager_key, "dialect": dialect}
    made: list[AssetsDefinition | AssetChecksDefinition] = []
    prefix = key_prefix_segments(key_prefix)
    with uncollected():
        for segments, file, beside in files:
            key = AssetKey((*prefix, *segments))
            if (read := faults.attempt(SQLFile.read, file, beside, root)) is not None:
                made += _assets_of(read, key, common, (tags or {}, owners or (), kinds), faults)
    faults.settle(f"the SQL files in {root}")
    return made


@dataclass(frozen=True, slots=True)
class SQLFile:
    """A `.sql` file: its query, and the sections of YAML that speak of its asset."""

    path: str
    sql: SQL
    sections: tuple[Section, ...]

    @classmethod
    def read(cls, path: str, beside: Sequence[str] | None = None, root: str | None = None) -> SQLFile:
        """The file at `path`, loaded with others from `root`, and the files of YAML `beside` it, by default those that are there.

        Raises InvalidDefinitionError for one that is no text, or whose header is torn.
        """
        text = _text_of(path)
        sections = [read_section(other, root) for other in (_beside(path) if beside is None else beside)]
        header = _HEADER.match(text)
        if header is None and _BEGINNING.match(text):
            raise InvalidDefinitionError("the header is not closed", where=f"{path}:1", hint="End it with a line --- */.")
        line = 1
        if header is not None:
            sections.insert(0, _section(path, text.count("\n", 0, header.start(1)) + 1, header[1], root))
            line += text.count("\n", 0, header.end())
            text = text[header.end() :]
        text = text.removeprefix("\ufeff")
        if ("{{" in text or "{%" in text) and (jinja := _JINJA.search(text)) is not None:
            origin = SQLOrigin(path, line)
            place = origin.place(text.count("\n", 0, jinja.start()) + 1, jinja.start() - text.rfind("\n", 0, jinja.start()))
            hint = "Name the table itself, staging.orders: that is the dependency. Options go into the header; there is no templating."
            raise InvalidDefinitionError(f"it has Jinja, {' '.join(jinja[0].split())}", where=place, hint=hint)
        return cls(path, SQL(text).told(origin=SQLOrigin(path, line, root)), tuple(sections))


def _assets_of(
    file: SQLFile,
    key: AssetKey,
    common: Mapping[str, str | None],
    added: tuple[Mapping[str, str], Sequence[str], Iterable[str]],
    faults: Faults,
) -> Iterator[AssetsDefinition | AssetChecksDefinition]:
    """The asset that a file makes, and the checks of it."""
    header = Header(key.to_user_string(), file.sections, file.path, faults)
    before = len(faults.errors)
    options = {**common, **asset_options(header)}
    tags, owners, kinds = added
    options["tags"] = {**tags, **options.get("tags", {})}
    options["owners"] = list(dict.fromkeys((*owners, *options.get("owners", ()))))
    options["kinds"] = [*kinds, *options.get("kinds", ())]
    checks: list[AssetChecksDefinition] = []
    if "checks" in header:
        from warehouse_assets.code_location.sql_checks import checks_of

        checks += checks_of(header, key)
    if len(faults.errors) == before and (asset := faults.attempt(sql_asset, key, file.sql, **options)) is not None:
        yield asset
        yield from checks


_Found: TypeAlias = "tuple[tuple[str, ...], str, list[str]]"  # the segments of a key, a file, and the files of YAML beside it


def _found(path: str | os.PathLike[str]) -> tuple[str, list[_Found]]:
    """The folder or the file that is meant, and the files there."""
    given = os.path.expanduser(path)
    own = caller_frame().f_code.co_filename
    if not os.path.isabs(given) and os.path.exists(own):
        given = os.path.join(os.path.dirname(os.path.abspath(own)), given)
    given = os.path.abspath(given)
    if os.path.isfile(given):
        folder, name = os.path.split(given)
        return given, [found for found in _files_in(folder, ()) if found[1] == given] or [((Path(name).stem,), given, [])]
    where = str(caller_place())
    if not os.path.isdir(given):
        above = Path(given).parent
        near = [entry.name for entry in above.iterdir() if entry.is_dir()] if above.is_dir() else []
        raise InvalidDefinitionError(f"there is no folder {given}", where=where, hint=close_matches(Path(given).name, near))
    try:
        files = list(_files_in(given, ()))
    except OSError as error:
        raise InvalidDefinitionError(f"the folder {error.filename} cannot be read: {error.strerror}", where=where) from None
    if not files:
        raise InvalidDefinitionError(f"the folder {given} has no .sql files", where=where)
    return given, files


def _files_in(folder: str, segments: tuple[str, ...]) -> Iterator[_Found]:
    """The .sql files of a folder, and of those below it, in the order of their names; hidden ones are passed over."""
    with os.scandir(folder) as entries:
        found = {entry.name: entry for entry in entries if not entry.name.startswith(".")}
    for name in sorted(found):
        stem, ending = os.path.splitext(name)
        if ending.lower() == ".sql" and found[name].is_file():
            beside = [found[other].path for other in (f"{stem}.yaml", f"{stem}.yml") if other in found]
            yield (*segments, stem), found[name].path, beside
        elif found[name].is_dir() and not (found[name].is_symlink() and _leads_up(found[name].path)):
            yield from _files_in(found[name].path, (*segments, name))


def _leads_up(link: str) -> bool:
    """Whether a link is to a folder that it is in itself."""
    folder, real = os.path.realpath(os.path.dirname(link)), os.path.realpath(link)
    return os.path.commonpath([folder, real]) == real


def _beside(path: str) -> list[str]:
    return [other for ending in (".yaml", ".yml") if os.path.isfile(other := os.path.splitext(path)[0] + ending)]


def read_section(file: str, root: str | None = None) -> Section:
    """The mapping of YAML that a file is, one of those from `root`; InvalidDefinitionError for another file."""
    return _section(file, 1, _text_of(file), root)


def _section(file: str, line: int, text: str, root: str | None) -> Section:
    """A section of YAML, which is read once for as long as it stays as it is."""
    remembered = remembered_of(root) if root is not None else None
    values = remembered.header(text) if remembered is not None else None
    if values is None:
        from warehouse_assets.code_location.yaml_text import read_yaml

        values = read_yaml(text, file, line)
        if remembered is not None:
            remembered.add_header(text, values)
    return Section(file, line, text, values)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InvalidDefinitionError(f"the file is not UTF-8: {error.reason}", where=path, hint="Save it as UTF-8.") from None
    except OSError as error:
        raise InvalidDefinitionError(f"the file cannot be read: {error.strerror}", where=path) from None
