"""The rules of the house that a test can hold."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from warehouse_assets.io_manager import powers

ROOT = Path(__file__).parents[1]
PACKAGES = ("warehouse_assets", "io_managers")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
HEAVY = {
    "click",
    "cronsim",
    "deltalake",
    "duckdb",
    "fsspec",
    "msgspec",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "rich",
    "sqlalchemy",
    "sqlglot",
    "yaml",
}

POWERS = [getattr(powers, name) for name in powers.__all__]


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules() -> list[ModuleType]:
    names = [name for package in PACKAGES for _, name, _ in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")]
    return [importlib.import_module(name) for name in (*PACKAGES, *names) if not name.endswith("__main__")]


@pytest.mark.parametrize(
    "statement",
    [
        "import warehouse_assets",
        "import io_managers",
        "from warehouse_assets import asset, Definitions, materialize",
        "from warehouse_assets import SQL, AssetIn, AssetKey, AssetSelection, Instance, IOManager, Output, Table, io_manager",
        "from io_managers import InMemoryIOManager",
        "from warehouse_assets import asset, materialize\n@asset\ndef a() -> None: ...\nmaterialize([a])",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(statement: str) -> None:
    program = f"{statement}\nimport sys; print(*sorted({HEAVY!r} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout.split() == []


def test_sql_over_files_that_duckdb_keeps_needs_no_library_of_frames(tmp_path: Path) -> None:
    program = f"""
import sys
import duckdb
from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import Instance, SourceAsset, materialize, sql_asset
duckdb.sql("select 1 as id").write_parquet({str(tmp_path / "lake" / "orders.parquet")!r})
stores = {{"io_manager": DuckDBIOManager(database={str(tmp_path / "w.duckdb")!r}), "lake": ParquetIOManager(base_path={str(tmp_path)!r})}}
orders, ids = SourceAsset(["lake", "orders"], io_manager_key="lake"), sql_asset("shop/ids", "select id from lake.orders")
for _ in range(2):
    assert materialize([orders, ids], resources=stores, instance=Instance.local({str(tmp_path)!r})).success
print(*sorted({{"numpy", "pandas", "polars", "pyarrow", "sqlalchemy.dialects.postgresql"}} & sys.modules.keys()))
"""
    (tmp_path / "lake").mkdir()

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout.split() == []


def test_what_is_not_declared_is_not_imported() -> None:
    program = """
import sys
from warehouse_assets import Definitions, asset, materialize
@asset
def a(): return 1
Definitions([a])
late = ("events", "execution.run", "definitions.checks", "definitions.check_specs", "definitions.job", "instance", "sql", "html", "quantities")
print(*(name for name in late if f"warehouse_assets.{name}" in sys.modules))
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout.split() == []


def test_partitions_are_not_imported_before_something_is_partitioned() -> None:
    program = """
import sys
from warehouse_assets import AssetIn, Definitions, asset, materialize
@asset
def a(): return 1
@asset(deps=[a], ins={"x": AssetIn("a")})
def b(context, x) -> None: assert not context.has_partition_key
materialize([a, b])
Definitions([a, b])
print(*sorted(name for name in sys.modules if name.startswith("warehouse_assets.partitions")))
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout.split() == []


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_sorted_and_all_there(package: str) -> None:
    module = importlib.import_module(package)
    public = list(module.__all__)

    assert public == sorted(public)
    assert [name for name in public if getattr(module, name, None) is None or name not in dir(module)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        importlib.import_module(package).nothing  # noqa: B018


def test_the_lazy_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "warehouse_assets" / "__init__.py").read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [alias.asname for statement in checked.body if isinstance(statement, ast.ImportFrom) for alias in statement.names]

    assert sorted(name or "" for name in seen) == importlib.import_module("warehouse_assets").__all__


@pytest.mark.parametrize("first", ["import warehouse_assets.io_manager", "from warehouse_assets import io_manager", ""])
def test_the_decorator_and_the_package_of_one_name_get_along(first: str) -> None:
    program = f"""{first}
from warehouse_assets import io_manager, IOManager
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.io_manager.base import IOManagerDefinition
assert isinstance(io_manager(lambda: None), IOManagerDefinition)
assert isinstance(io_manager(description="x")(lambda: None), IOManagerDefinition)
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.stderr == ""


def test_no_module_is_longer_than_500_lines() -> None:
    lengths = {name_of(file): len(file.read_text().splitlines()) for file in SOURCES}

    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_no_module_is_a_junk_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}

    assert [name_of(file) for file in SOURCES if file.stem.strip("_") in drawers] == []


def test_every_module_postpones_its_annotations() -> None:
    texts = {name_of(file): file.read_text() for file in SOURCES}
    late = [name for name, text in texts.items() if "def " in text and "from __future__ import annotations" not in text]

    assert late == []


def undocumented(module: ModuleType) -> list[str]:
    """The public classes, functions and methods of a module without a docstring; overriding methods, and those of a power, need none."""
    found = [] if module.__doc__ else [module.__name__]
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            found += [f"{module.__name__}.{name}"] * (not value.__dict__.get("__doc__"))
            found += [f"{module.__name__}.{name}.{method}" for method in undocumented_methods(value)]
        elif inspect.isfunction(value):
            found += [f"{module.__name__}.{name}"] * (not value.__doc__)
    return found


def undocumented_methods(cls: type) -> list[str]:
    inherited = {name for base in (*cls.__mro__[1:], *POWERS) for name in vars(base)}
    found = []
    for name, value in vars(cls).items():
        function = getattr(value, "fget", None) or getattr(value, "__func__", None) or getattr(value, "func", None) or value
        if not name.startswith("_") and name not in inherited and inspect.isfunction(function) and not function.__doc__:
            found.append(name)
    return found


def test_everything_public_has_a_docstring() -> None:
    missing = [name for module in modules() for name in undocumented(module)]

    assert [name for name in missing if ".testing." not in name or ".test_" not in name] == []


def test_importing_everything_is_silent_and_sets_no_logging_up() -> None:
    names = [name_of(file) for file in SOURCES if not {"testing", "__main__"} & {*file.parts, file.stem}]
    program = f"""
import importlib, logging
for name in {names!r}:
    importlib.import_module(name)
for name in ("", *{PACKAGES!r}):
    assert not logging.getLogger(name).handlers, f"logging is set up for {{name!r}}"
"""

    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
