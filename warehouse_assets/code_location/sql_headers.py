"""What the header of a `.sql` file says of its asset, in YAML: the keys it may have, and what they stand for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

from warehouse_assets.definitions.naming import Faults, Place
from warehouse_assets.definitions.specs import AUTO, AssetDep
from warehouse_assets.errors import InvalidDefinitionError, close_matches
from warehouse_assets.table_options import TableOptions, WriteMode, delete_insert, snapshot, upsert

__all__ = ["Header", "Section", "asset_options"]

T = TypeVar("T")

_TEXTS = ("description", "group", "io_manager_key", "dialect", "data_version", "pool")
_LISTS = ("owners", "kinds")
_WRITING = ("mode", "key", "valid_from", "valid_to")
_TABLE = ("sort_by", "schema_policy", "partition_expr", "keep_versions", "schema", "materialized")
_OTHER = ("tags", "metadata", "deps", "code_version", "columns", "partitions", "checks", "tests")
_AUTOMATION = ("automation_condition", "freshness_policy")
_KEYS = (*_TEXTS, *_LISTS, *_WRITING, *_TABLE, *_OTHER, *_AUTOMATION)
_MODES: Mapping[str, Callable[..., WriteMode]] = {"upsert": upsert, "delete_insert": delete_insert, "snapshot": snapshot}


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of YAML: the `file` it is in, the `line` there on which its text begins, and its values."""

    file: str
    line: int
    text: str
    values: Mapping[str, Any]

    def place(self, path: Sequence[Any]) -> Place:
        """Where a value is written, which the keys and indexes of `path` lead to."""
        return _PlaceInYAML(self, path)


class _PlaceInYAML(Place):
    """A place that is looked for when it is asked for, which most are not."""

    __slots__ = ("path", "section")

    def __init__(self, section: Section, path: Sequence[Any]) -> None:
        self.file = section.file
        self.section = section
        self.path = path

    @property
    def line(self) -> int:  # type: ignore[override]
        from warehouse_assets.code_location.yaml_text import line_of

        return self.section.line + line_of(self.section.text, self.path)


class Header:
    """All that is said of one asset beside its SQL, in one section or two; what is wrong with it is noted in `faults`."""

    def __init__(self, name: str, sections: Iterable[Section], file: str, faults: Faults) -> None:
        self.name = name
        self.file = file
        self.faults = faults
        self.sections: dict[str, Section] = {}
        for section in sections:
            for key in section.values:
                if key not in _KEYS:
                    hint = close_matches(str(key), _KEYS) or f"There are {', '.join(sorted(_KEYS))}."
                    faults.add(f"asset {name!r}: its header has {key!r}", hint=hint, where=section.place([key]))
                elif (other := self.sections.setdefault(key, section)) is not section:
                    where = section.place([key])
                    faults.add(f"asset {name!r}: {key!r} is said twice, also at {other.place([key])}", where=where)

    def __contains__(self, key: str) -> bool:
        return key in self.sections

    def get(self, key: str) -> Any:
        """The value of a key, None where it is not said."""
        return self.sections[key].values[key] if key in self.sections else None

    def add(self, path: Sequence[Any], message: str, hint: str | None = None) -> None:
        """Note a fault of the value that `path` leads to."""
        where = self.sections[path[0]].place(path) if path[0] in self.sections else Place(self.file, 1)
        self.faults.add(f"asset {self.name!r}: {message}", hint=hint, where=where)

    def attempt(self, path: Sequence[Any], build: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
        """What `build` gives for values of the header; None where it refuses them, which is a fault of what `path` leads to."""
        try:
            return build(*args, **kwargs)
        except InvalidDefinitionError as error:
            for one in getattr(error, "exceptions", (error,)):
                self.add(path, one.message, one.hint)
        except (TypeError, ValueError, LookupError) as error:
            self.add(path, f"{'.'.join(map(str, path))} cannot be meant: {error}")
        return None

    def called(
        self,
        path: Sequence[Any],
        build: Callable[..., T],
        given: Mapping[str, Any],
        *args: Any,
        options: Sequence[str] = (),
    ) -> T | None:
        """What `build` gives for the values that a header gives by name; None, and a fault, where it does not take them.

        `options` are the names that it takes beside those of its signature.
        """
        taken, takes_any = _parameters(build)
        names = [*taken[len(args) :], *(options if takes_any else ())]
        for name in given:
            if name not in names:
                hint = close_matches(str(name), names) or f"There are {', '.join(names)}."
                self.add([*path, name], f"{path[-1]!r} takes no {name!r}", hint)
                return None
        return self.attempt(path, partial(build, *args, **given))

    def text(self, *path: Any) -> str | None:
        """A value that has to be text."""
        value = self._at(path)
        if value is None or isinstance(value, str):
            return value
        self.add(path, f"{path[-1]!r} is {value!r}, not text", "Put it in quotes.")
        return None

    def texts(self, *path: Any) -> list[str]:
        """A value that has to be a list of texts, or one of them."""
        value = self._at(path)
        if value is None:
            return []
        found = value if isinstance(value, list) else [value]
        if all(isinstance(each, str) for each in found):
            return found
        self.add(path, f"{path[-1]!r} is {value!r}, not a list of texts", f"Write {path[-1]}: [a, b].")
        return []

    def mapping(self, *path: Any) -> Mapping[str, Any]:
        """A value that has to be a mapping."""
        value = self._at(path)
        if value is None or isinstance(value, dict):
            return value or {}
        self.add(path, f"{path[-1]!r} is {value!r}, not a mapping", f"Write {path[-1]}: {{name: value}}.")
        return {}

    def _at(self, path: Sequence[Any]) -> Any:
        value = self.get(path[0])
        for step in path[1:]:
            value = value[step]
        return value


@cache
def _parameters(build: Callable[..., Any]) -> tuple[Sequence[str], bool]:
    """The names of the arguments that a function takes, and whether it takes any others by name; files ask for the same few."""
    parameters = inspect.signature(build).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    return names, len(parameters) > len(names)


def asset_options(header: Header) -> dict[str, Any]:
    """What a header says, as `sql_asset` takes it; checks are left aside."""
    if not header.sections:
        return {}
    options: dict[str, Any] = {key: header.text(key) for key in _TEXTS if key in header}
    options |= {key: header.texts(key) for key in _LISTS if key in header}
    if "group" in options:
        options["group_name"] = options.pop("group")
    if "tags" in header:
        options["tags"] = dict(_tags(header))
    if "metadata" in header:
        options["metadata"] = header.mapping("metadata")
    if "deps" in header:
        options["deps"] = list(_deps(header))
    if "partitions" in header:
        from warehouse_assets.code_location.sql_partitions import partitions_of

        options["partitions_def"] = partitions_of(header, ["partitions"])
    if any(key in header for key in _AUTOMATION):
        from warehouse_assets.code_location.sql_automation import automation_of

        options |= automation_of(header)
    version = header.get("code_version") if "code_version" in header else AUTO
    is_number = isinstance(version, (int, float)) and not isinstance(version, bool)
    options["code_version"] = str(version) if is_number else header.text("code_version") if version != AUTO else AUTO
    if any(key in header for key in (*_WRITING, *_TABLE, "columns")):
        options["table"] = _table(header)
    return options


def _tags(header: Header) -> Iterator[tuple[str, str]]:
    for name, value in header.mapping("tags").items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            header.add(["tags", name], f"the tag {name!r} is {value!r}, not text", "Put it in quotes.")
        else:
            yield str(name), str(value)


def _deps(header: Header) -> Iterator[Any]:
    """The dependencies: keys, or `{asset: key, partition_mapping: …}`."""
    found = header.get("deps")
    for index, dep in enumerate(found if isinstance(found, list) else [found]):
        path = ["deps", index] if isinstance(found, list) else ["deps"]
        if isinstance(dep, str):
            yield dep
        elif isinstance(dep, dict) and dep.keys() <= {"asset", "partition_mapping"} and isinstance(dep.get("asset"), str):
            from warehouse_assets.code_location.sql_partitions import mapping_of

            mapping = mapping_of(header, [*path, "partition_mapping"], dep.get("partition_mapping"))
            made = header.attempt(path, AssetDep, dep["asset"], partition_mapping=mapping)
            yield from () if made is None else (made,)
        else:
            header.add(path, f"a dependency is {dep!r}", "Write a key, or {asset: key, partition_mapping: …}.")


def _table(header: Header) -> TableOptions | None:
    given: dict[str, Any] = {key: header.get(key) for key in _TABLE if key in header}
    given |= _columns(header)
    if (mode := _mode(header)) is not None:
        given["mode"] = mode
    first = next((key for key in (*_TABLE, "columns", "mode") if key in header), "mode")
    return header.attempt([first], TableOptions, **given)


def _mode(header: Header) -> WriteMode | str | None:
    """How the table is written: the `mode`, with the `key` that some need."""
    mode, key = header.text("mode"), header.texts("key")
    times = {name: header.get(name) for name in ("valid_from", "valid_to") if name in header}
    make = _MODES.get(mode or "")
    if (key and make is None) or (times and mode != "snapshot"):
        extra = next(name for name in ("key", *times) if name in header)
        header.add(
            [extra], f"{extra!r} says nothing for the mode {mode or 'replace'!r}", f"Modes with a key are {', '.join(_MODES)}."
        )
    elif make is not None and (key or mode != "delete_insert"):
        return header.attempt(["mode"], make, key, **times)
    return mode


def _columns(header: Header) -> dict[str, Any]:
    """The contract of the columns, where types are given, and what is said of them."""
    types: dict[str, str] = {}
    described: dict[str, str] = {}
    untyped: list[str] = []
    columns = header.mapping("columns")
    for name, said in columns.items():
        path = ["columns", name]
        if isinstance(said, dict):
            for key in said.keys() - {"type", "description"}:
                header.add(
                    [*path, key],
                    f"the column {name!r} has {key!r}",
                    "A column has a type and a description; a type with a comma needs quotes.",
                )
            kind, words = (header.text(*path, key) if key in said else None for key in ("type", "description"))
        else:
            kind, words = header.text(*path), None
        if words:
            described[name] = words
        if kind is None:
            untyped.append(name)
        else:
            types[name] = kind
    if types and untyped:
        hint = "Give all columns of the table their types, or none; a description alone is written {description: …}."
        header.add(["columns", untyped[0]], f"the column {untyped[0]!r} has no type, and others have one", hint)
    return {**({"columns": types} if types else {}), **({"descriptions": described} if described else {})}
