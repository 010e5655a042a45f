"""The site as a reader finds it: built from the pages and the docstrings."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", str(folder / "trees"), str(ROOT / "docs"), str(folder / "html")],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    described = {name.rpartition(".")[2] for kind, names in inventory.data.items() if kind.startswith("py:") for name in names}
    packages = (
        "warehouse_assets",
        "warehouse_assets.checks",
        "warehouse_assets.errors",
        "warehouse_assets.testing",
        "io_managers",
    )
    public = {name for package in packages for name in import_module(package).__all__}

    assert public - described == set()


def test_every_page_is_reached_from_the_first_one(site: Path) -> None:
    pages = {str(page.relative_to(ROOT / "docs").with_suffix("")) for page in (ROOT / "docs").rglob("*.[mr][ds]*")}
    linked = set(re.findall(r'href="([\w/]+)\.html', (site / "index.html").read_text()))

    assert pages - linked == {"index"}


def test_nothing_on_the_site_is_fetched_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r"""(?:src="|<link[^>]*rel="stylesheet"[^>]*href=")(https?:[^"]+)""")

    assert [match for page in site.rglob("*.html") for match in fetched.findall(page.read_text())] == []
