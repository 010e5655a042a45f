"""`workspace.toml`, and what else a project says of where its assets are declared."""

from __future__ import annotations

import os.path
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse_assets.definitions.naming import Faults, Place
from warehouse_assets.errors import InvalidDefinitionError, close_matches
from warehouse_assets.events import CodeLocation

__all__ = ["FILE_NAME", "Project", "find_project", "location_of", "read_workspace"]

FILE_NAME = "workspace.toml"
_FIELDS = ("name", "module", "file", "working_directory", "python")
_TABLE = "location"
_LINE = re.compile(r"line (\d+)")


@dataclass(frozen=True, slots=True)
class Project:
    """What a file says: the code locations that it names."""

    file: Path
    locations: tuple[CodeLocation, ...]


def location_of(module: str, folder: Path | None = None) -> CodeLocation:
    """The code location of a module or file, as seen from a folder (the current one unless given), called by its last name.

    >>> location_of("my_shop/assets.py", Path("/srv")).name
    'assets'
    """
    name = Path(module).stem if module.endswith(".py") else module.rpartition(".")[2]
    return CodeLocation(name, module, str((folder or Path.cwd()).absolute()))


def find_project(folder: Path) -> Project | None:
    """The project that a folder is in: a `workspace.toml`, or a `pyproject.toml` with a `[tool.warehouse_assets]` that names a module,
    there or in the nearest folder above; None where there is none.

    InvalidDefinitionError, with the line, for one that cannot be read.
    """
    folder = folder.absolute()
    for each in (folder, *folder.parents):
        if (file := each / FILE_NAME).is_file():
            return Project(file, read_workspace(file))
        if (file := each / "pyproject.toml").is_file() and (locations := _of_pyproject(file)) is not None:
            return Project(file, locations)
    return None


def read_workspace(file: Path) -> tuple[CodeLocation, ...]:
    """The code locations of a `workspace.toml`: its tables `[[location]]`, in their order.

    Each has a `module` or a `file`, and may have a `name`, a `working_directory` and a `python`; paths are as seen from the folder of
    the file. Raises InvalidDefinitionError, or a group of all faults, each with its line.
    """
    faults = Faults(where=Place(str(file), 1))
    text, values = _read_toml(file)
    found = tuple(_Tables(file, text, faults).read(values))
    faults.raise_any("the workspace")
    return found


def _of_pyproject(file: Path) -> tuple[CodeLocation, ...] | None:
    """The code location of `[tool.warehouse_assets] module`; None where there is no such table, or no module in it."""
    text, values = _read_toml(file)
    own = values.get("tool", {}).get("warehouse_assets", {})
    if not isinstance(own, dict) or "module" not in own:
        return None
    if not isinstance(own["module"], str) or not own["module"]:
        place = f"{file}:{_line(text, 'module', _line(text, 'tool.warehouse_assets'))}"
        hint = 'Write module = "my_project.definitions".'
        raise InvalidDefinitionError(f"module is {own['module']!r}, not the name of a module", where=place, hint=hint)
    return (location_of(own["module"], file.parent),)


def _read_toml(file: Path) -> tuple[str, Mapping[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise InvalidDefinitionError(f"the file {str(file)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        line = _LINE.search(str(error))
        raise InvalidDefinitionError(f"the TOML cannot be read: {error}", where=f"{file}:{line[1] if line else 1}") from None


class _Tables:
    """Reads the tables of one file, and notes what is wrong in them."""

    def __init__(self, file: Path, text: str, faults: Faults) -> None:
        self.file = file
        self.text = text
        self.faults = faults
        self.lines = [
            number for number, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{_TABLE}\s*\]\]", line)
        ]

    def read(self, values: Mapping[str, Any]) -> Iterator[CodeLocation]:
        for name in values:
            if name != _TABLE and name not in ("daemon", "queue"):
                self.add(_line(self.text, name), f"the workspace has {name!r}", "Its locations are tables [[location]].")
        tables = values.get(_TABLE)
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables) or not tables:
            self.add(
                1, "the workspace names no locations", 'Write [[location]], and under it module = "my_project.definitions".'
            )
            return
        known: dict[str, int] = {}
        for index, table in enumerate(tables):
            start = self.lines[index] if index < len(self.lines) else 1
            location = self._location(table, start)
            if location is None:
                continue
            if (other := known.setdefault(location.name, start)) != start:
                hint = 'Give each a name = "…" of its own.'
                self.add(start, f"the location {location.name!r} is there already, in line {other}", hint)
            yield location

    def _location(self, table: Mapping[str, Any], start: int) -> CodeLocation | None:
        count = len(self.faults.errors)
        for field, value in table.items():
            line = _line(self.text, field, start)
            if field not in _FIELDS:
                hint = close_matches(field, _FIELDS) or f"It has {', '.join(_FIELDS)}."
                self.add(line, f"a location has {field!r}", hint)
            elif not isinstance(value, str) or not value:
                self.add(line, f"{field!r} is {value!r}, not text", f'Write {field} = "…".')
        if ("module" in table) == ("file" in table):
            what = "both a module and a file" if "module" in table else "neither a module nor a file"
            self.add(start, f"the location has {what}", 'Write module = "my_project.definitions", or file = "assets.py".')
        if len(self.faults.errors) > count:
            return None
        folder = self._path(table.get("working_directory", "."))
        if not folder.is_dir():
            self.add(
                _line(self.text, "working_directory", start),
                f"there is no folder {str(folder)!r}",
                "It is seen from the file's own folder.",
            )
        python = table.get("python")
        if python is not None and ("/" in python or "\\" in python):
            python = str(self._path(python))
            if not Path(python).is_file():
                self.add(
                    _line(self.text, "python", start), f"there is no interpreter {python!r}", "Write the path of a python."
                )
        module = table.get("module") or str(table["file"])
        made = location_of(module, folder)
        return CodeLocation(table.get("name", made.name), module, made.working_directory, python)

    def _path(self, text: str) -> Path:
        """As seen from the file; links are not followed, since an interpreter is known by its place."""
        return Path(os.path.normpath(self.file.absolute().parent / Path(text).expanduser()))

    def add(self, line: int, what: str, hint: str) -> None:
        self.faults.add(what, hint=hint, where=Place(str(self.file), line))


def _line(text: str, key: str, start: int = 1) -> int:
    """The line of a key, from a line on; that line where it is not found."""
    wanted = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*(=|\]|\.)""")
    lines = enumerate(text.splitlines()[start - 1 :], start)
    return next((number for number, line in lines if wanted.match(line)), start)
