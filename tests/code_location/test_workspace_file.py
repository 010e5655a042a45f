from __future__ import annotations

import sys
from pathlib import Path

import pytest

from warehouse_assets.code_location.workspace_file import find_project, location_of, read_workspace
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.events import CodeLocation


def test_locations_are_read_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    file = tmp_path / "workspace.toml"
    file.write_text(
        '[[location]]\nmodule = "shop.definitions"\n\n'
        f'[[location]]\nname = "jobs"\nfile = "a.py"\nworking_directory = "jobs"\npython = "{sys.executable}"\n'
    )

    assert read_workspace(file) == (
        CodeLocation("definitions", "shop.definitions", str(tmp_path)),
        CodeLocation("jobs", "a.py", str(tmp_path / "jobs"), sys.executable),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["1: the workspace names no locations"]),
        ("location = 3", ["1: the workspace names no locations"]),
        ("x = 1\n[[location]]\nmodule = 'a'", ["1: the workspace has 'x'"]),
        ("[[location]\n", ["1: the TOML cannot be read"]),
        ("[[location]]\nmodul = 'a'", ["2: a location has 'modul'", "1: the location has neither a module nor a file"]),
        ("[[location]]\nmodule = 'a'\nfile = 'a.py'", ["1: the location has both a module and a file"]),
        ("[[location]]\nmodule = 'a'\n\n[[location]]\nmodule = 3", ["5: 'module' is 3, not text"]),
        ("[[location]]\nmodule = 'a'\n[[location]]\nmodule = 'b.a'", ["3: the location 'a' is there already, in line 1"]),
        ("[[location]]\nmodule = 'a'\nworking_directory = 'none'", ["3: there is no folder"]),
        ("[[location]]\nmodule = 'a'\npython = './no/python'", ["3: there is no interpreter"]),
    ],
    ids=["empty", "number", "unknown", "broken", "typo", "both", "type", "twice", "folder", "python"],
)
def test_what_cannot_be_meant_is_told_with_its_line(tmp_path: Path, text: str, said: list[str]) -> None:
    file = tmp_path / "workspace.toml"
    file.write_text(text)

    with pytest.raises(InvalidDefinitionError) as raised:
        read_workspace(file)

    faults = getattr(raised.value, "exceptions", [raised.value])
    told = [f"{str(fault.where).removeprefix(f'{file}:')}: {fault}" for fault in faults]
    assert [line.startswith(start) for line, start in zip(told, said, strict=True)] == [True] * len(said), told


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinitionError, match="cannot be read: No such file"):
        read_workspace(tmp_path / "workspace.toml")


def test_the_project_is_that_of_the_nearest_folder_above(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.warehouse_assets]\nmodule = "outer"\n')
    (tmp_path / "a" / "b").mkdir(parents=True)
    outer = find_project(tmp_path / "a" / "b")
    (tmp_path / "a" / "workspace.toml").write_text('[[location]]\nmodule = "inner"\n')
    (tmp_path / "a" / "b" / "pyproject.toml").write_text('[project]\nname = "b"\n')
    inner = find_project(tmp_path / "a" / "b")

    assert outer is not None
    assert inner is not None
    assert (outer.locations, inner.locations) == ((location_of("outer", tmp_path),), (location_of("inner", tmp_path / "a"),))
