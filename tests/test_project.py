from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from warehouse_assets._version import __version__

ROOT = Path(__file__).parents[1]
PACKAGES = ("warehouse_assets", "io_managers")


def tracked_files() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_all_of_both_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    sources = {str(file.relative_to(ROOT)) for file in tracked_files() if file.relative_to(ROOT).parts[0] in PACKAGES}

    held = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert held == sources


def test_the_wheel_says_that_it_is_typed_licensed_and_what_it_can_run(wheel: zipfile.ZipFile) -> None:
    info = {name.partition(".dist-info/")[2]: name for name in wheel.namelist() if ".dist-info/" in name}

    entry_points = wheel.read(info["entry_points.txt"]).decode()

    assert [f"{package}/py.typed" in wheel.namelist() for package in PACKAGES] == [True, True]
    assert wheel.read(info["licenses/LICENSE"]) == (ROOT / "LICENSE").read_bytes()
    assert re.findall(r"^(?:wa|warehouse-assets) = (.+)$", entry_points, re.MULTILINE) == ["warehouse_assets.cli:script"] * 2


def test_every_entry_point_leads_somewhere() -> None:
    from importlib.metadata import entry_points

    points = [*entry_points(group="warehouse_assets.io_managers"), *entry_points(group="console_scripts", name="wa")]

    assert all(callable(point.load()) for point in points)


@pytest.mark.parametrize("target", ["demo", "test", "lint", "docs", "bench", "screenshots", "clean"])
def test_make_knows_the_target(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_ci_calls_make_lint_and_make_test_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()

    assert [line for line in lines if not line.startswith(("#", "set ", "cd "))] == ["make lint", "make test"]


def test_the_make_targets_install_groups_and_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    makefile = (ROOT / "Makefile").read_text()

    groups = set(re.findall(r"--group (\w+)", makefile))
    extras = {extra for found in re.findall(r"--editable '\.\[([\w,]+)\]'", makefile) for extra in found.split(",")}

    assert groups <= project["dependency-groups"].keys()
    assert extras <= project["project"]["optional-dependencies"].keys()


def test_no_file_names_a_place_on_one_machine() -> None:
    place = re.compile(rb"/(?:home|root|work|Users)/\w")

    found = [str(file.relative_to(ROOT)) for file in tracked_files() if place.search(file.read_bytes())]

    assert found == []


def test_the_changelog_has_the_version_of_the_project() -> None:
    released = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert released[:2] == ["Unreleased", __version__]
