"""`code_version="auto"`: what changes the version of an asset, and what does not."""

from __future__ import annotations

import ast
import importlib
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from warehouse_assets import AssetKey, asset
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.code.versions import CodeVersions

ASSETS = '''
"""The assets of a shop."""
import datetime as dt
from dataclasses import dataclass
from functools import partial, wraps

import project.rates as rates
from project import names
from project.cleaning import clean as cleaned, Cleaner
from project.names import COUNTRIES, LIMIT
from warehouse_assets import SQL, Config, Output, asset as table, graph_asset, multi_asset, AssetOut, op

FACTOR = 3
EPOCH = dt.date(2020, 1, 1)
SEEN = {}
WORDS = ["a", "b"]


def logged(times):
    def decorate(fn):
        @wraps(fn)
        def wrapper(*args, **kwargs):
            for _ in range(times):
                result = fn(*args, **kwargs)
            return result

        return wrapper

    return decorate


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n > 0 and is_even(n - 1)


class Size(Config):
    rows: int = 10


@table(code_version="auto", description="The orders.")
def orders(context, config: Size, limit=LIMIT) -> list:
    """All orders."""
    total: int = 0  # so far
    for row in range(config.rows):
        if row > FACTOR and row != names.UNUSED:
            total += cleaned(row) * rates.today.rate(row)
    SEEN[total] = EPOCH
    return [total, is_even(total), COUNTRIES.get(limit), [f"{word!r:>4}" for word in WORDS], Cleaner(2).run(total)]


@table(code_version="auto")
@logged(2)
def twice():
    return 1


@table(code_version="auto")
def from_sql(orders) -> SQL:
    return SQL("""
        select customer, sum(amount) as total -- all of them
        from {orders}
        where amount > {least}
        group by customer
    """, orders=orders, least=5)


@table(code_version="auto")
def late():
    from project.cleaning import clean

    from . import lazily

    return clean(lazily.value())


def made(name, add):
    @table(name=name, code_version="auto")
    def fn():
        return add + 1

    return fn


one, two = made("one", 1), made("two", 2)


@op
def first():
    return 1


@op
def second(x):
    return x + 1


@op
def third(x):
    return x + 2


@graph_asset(code_version="auto")
def composed():
    return second(first())


by_lambda = table(name="by_lambda", code_version="auto")(lambda: FACTOR * 2)
by_partial = table(name="by_partial", code_version="auto")(partial(is_even, 4))
'''

CLEANING = """
from project.names import LIMIT


def clean(row):
    return max(row, LIMIT) + helper(row)


def helper(row):
    return row + 1


def unrelated():
    return 0


class Cleaner:
    strength: int = 1

    def __init__(self, strength):
        self.strength = strength

    def run(self, value):
        return value * self.strength + helper(value)
"""

FILES = {
    "assets.py": ASSETS,
    "cleaning.py": CLEANING,
    "names.py": 'LIMIT = 5\nUNUSED = 1\nCOUNTRIES = {"a": "b", 5: "c"}\n',
    "rates/__init__.py": "from . import today\n",
    "rates/today.py": "def rate(row):\n    return 2\n",
    "lazily.py": "def value():\n    return 1\n",
    "__init__.py": "",
}

number = itertools.count()


@pytest.fixture
def versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]
) -> Iterator[Callable[..., dict[str, str]]]:
    """The code versions of a project with other text in some of its files."""

    def worked_out(**changed: str) -> dict[str, str]:
        folder = write(tmp_path / str(next(number)), **changed)
        with monkeypatch.context() as patched:
            patched.syspath_prepend(folder)
            found = told(importlib.import_module("project.assets"))
            forget_modules_of(tmp_path)
        return found

    yield worked_out
    forget_modules_of(tmp_path)


def write(folder: Path, **changed: str) -> Path:
    for name, text in FILES.items():
        file = folder / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(changed.get(name.removesuffix(".py"), text))
    return folder


def told(module: ModuleType) -> dict[str, str]:
    from warehouse_assets import AssetsDefinition

    found = [value for value in vars(module).values() if isinstance(value, AssetsDefinition)]
    graph = AssetGraph.build(found)
    tell = CodeVersions()
    return {node.key.to_user_string(): str(tell(node)) for node in graph}


def replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1, old
    return text.replace(old, new)


ALIKE = {
    "formatting": {"assets": ast.unparse(ast.parse(ASSETS)), "cleaning": ast.unparse(ast.parse(CLEANING))},
    "comments": {"assets": ASSETS.replace("):\n", "):  # why\n    # because\n")},
    "a docstring": {"assets": replaced(ASSETS, '"""All orders."""', '"""Every order, once."""')},
    "no docstring": {"assets": replaced(ASSETS, '"""All orders."""', "...")},
    "types of variables": {"assets": replaced(replaced(ASSETS, "total: int = 0", "total = 0"), "-> list", "-> object")},
    "the decorator of the asset": {
        "assets": replaced(ASSETS, 'description="The orders."', 'description="x", metadata={"a": LIMIT}')
    },
    "functions that are not used": {
        "cleaning": replaced(CLEANING, "return 0", "return 1"),
        "assets": replaced(ASSETS, "return x + 2", "return x + 3"),
    },
    "a cache that was filled": {"assets": ASSETS + "\nexec('SEEN[1] = 2')\n"},
    "the writing of SQL": {
        "assets": replaced(
            ASSETS,
            "select customer, sum(amount) as total -- all of them\n        from {orders}\n",
            "SELECT customer, SUM(amount) AS total\n FROM {orders} /* those */\n\n",
        )
    },
    "the order of imports": {"assets": replaced(ASSETS, "from project import names\n", "\n\nfrom project import names\n")},
    "a function moved": {
        "assets": replaced(ASSETS, "from project.cleaning import clean as cleaned, Cleaner", "from project.lazily import *"),
        "lazily": CLEANING + "\ncleaned = clean\ndef value():\n    return 1\n",
    },
}


@pytest.mark.semantics(25)
@pytest.mark.parametrize("name", ALIKE)
def test_what_changes_nothing(versions: Callable[..., dict[str, str]], name: str) -> None:
    same = versions(**ALIKE[name])

    left = {"late"} if name == "a function moved" else set()
    assert {key: same[key] for key in same if key not in left} == {
        key: version for key, version in versions().items() if key not in left
    }


CHANGES: dict[str, tuple[dict[str, str], set[str]]] = {
    "an operator": ({"assets": replaced(ASSETS, "row > FACTOR", "row >= FACTOR")}, {"orders"}),
    "a constant in the function": ({"assets": replaced(ASSETS, "total: int = 0", "total: int = 1")}, {"orders"}),
    "a type of constant": ({"assets": replaced(ASSETS, "total: int = 0", "total: int = 0.0")}, {"orders"}),
    "the name of a variable": ({"assets": replaced(ASSETS, "total", "amount_")}, {"orders", "from_sql"}),
    "the order of statements": (
        {"assets": replaced(ASSETS, "SEEN[total] = EPOCH\n", "SEEN[total] = EPOCH\n    total += 1\n")},
        {"orders"},
    ),
    "a format": ({"assets": replaced(ASSETS, ":>4", ":>5")}, {"orders"}),
    "a constant of the module": ({"assets": replaced(ASSETS, "FACTOR = 3", "FACTOR = 4")}, {"orders", "by_lambda"}),
    "a date of the module": ({"assets": replaced(ASSETS, "2020, 1, 1", "2020, 1, 2")}, {"orders"}),
    "an addition to a mapping of the module": ({"assets": f"{ASSETS}\nSEEN[1] = 2\n"}, {"orders"}),
    "a list of the module": ({"assets": replaced(ASSETS, '["a", "b"]', '["a", "c"]')}, {"orders"}),
    "a constant of another module": ({"names": replaced(FILES["names.py"], "LIMIT = 5", "LIMIT = 6")}, {"orders", "late"}),
    "a mapping of another module": ({"names": replaced(FILES["names.py"], '5: "c"', '5: "d"')}, {"orders"}),
    "an attribute of a module": ({"names": replaced(FILES["names.py"], "UNUSED = 1", "UNUSED = 2")}, {"orders"}),
    "a function": ({"cleaning": replaced(CLEANING, "max(row", "min(row")}, {"orders", "late"}),
    "a function that it calls": ({"cleaning": replaced(CLEANING, "return row + 1", "return row")}, {"orders", "late"}),
    "a method": ({"cleaning": replaced(CLEANING, "value * self", "value / self")}, {"orders"}),
    "a function of a package": ({"rates/today": "def rate(row):\n    return 3\n"}, {"orders"}),
    "functions that call each other": ({"assets": replaced(ASSETS, "n > 0 and", "n > 1 and")}, {"orders", "by_partial"}),
    "a default of the configuration": ({"assets": replaced(ASSETS, "rows: int = 10", "rows: int = 11")}, {"orders"}),
    "a type of the configuration": ({"assets": replaced(ASSETS, "rows: int", "rows: float")}, {"orders"}),
    "the default of a parameter": ({"assets": replaced(ASSETS, "limit=LIMIT", "limit=LIMIT + 1")}, {"orders"}),
    "what a decorator is given": ({"assets": replaced(ASSETS, "@logged(2)", "@logged(3)")}, {"twice"}),
    "what a decorator does": (
        {"assets": replaced(ASSETS, "            return result", "            return -result")},
        {"twice"},
    ),
    "what is decorated": ({"assets": replaced(ASSETS, "    return 1\n\n\n@table", "    return 2\n\n\n@table")}, {"twice"}),
    "a predicate": ({"assets": replaced(ASSETS, "amount > {least}", "amount >= {least}")}, {"from_sql"}),
    "a value in SQL": ({"assets": replaced(ASSETS, "least=5", "least=6")}, {"from_sql"}),
    "what an import in a function gives": ({"lazily": "def value():\n    return 2\n"}, {"late"}),
    "what is closed over": ({"assets": replaced(ASSETS, 'made("two", 2)', 'made("two", 3)')}, {"two"}),
    "an op": ({"assets": replaced(ASSETS, "return x + 1", "return x + 9")}, {"composed"}),
    "which op": ({"assets": replaced(ASSETS, "return second(", "return third(")}, {"composed"}),
    "a lambda": ({"assets": replaced(ASSETS, "FACTOR * 2", "FACTOR * 4")}, {"by_lambda"}),
    "what a partial is given": ({"assets": replaced(ASSETS, "partial(is_even, 4)", "partial(is_even, 5)")}, {"by_partial"}),
}


@pytest.mark.semantics(25)
@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_the_version(versions: Callable[..., dict[str, str]], name: str) -> None:
    changed, expected = CHANGES[name]
    before, after = versions(), versions(**changed)

    assert {key for key in after if after[key] != before[key]} == expected


def test_versions_of_functions_that_differ_do_too(versions: Callable[..., dict[str, str]]) -> None:
    found = versions()

    assert len(set(found.values())) == len(found)


def test_another_process_works_out_the_same(tmp_path: Path, versions: Callable[..., dict[str, str]]) -> None:
    program = f"""
import importlib, sys
sys.path[:0] = [{str(write(tmp_path / "project_of_its_own"))!r}, {str(Path(__file__).parent)!r}]
from test_versions import told
print(told(importlib.import_module("project.assets")))
"""

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert ast.literal_eval(done.stdout) == versions()


def test_text_that_was_edited_after_the_import_is_not_what_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # which is told apart by whole seconds
    folder = write(tmp_path)
    monkeypatch.syspath_prepend(folder)
    module = importlib.import_module("project.assets")
    file = folder / "project" / "assets.py"
    file.write_text(replaced(ASSETS, "amount > {least}", "amount < {least}"))
    edited = told(module)["from_sql"]
    forget_modules_of(tmp_path)

    assert edited != told(importlib.import_module("project.assets"))["from_sql"]
    forget_modules_of(tmp_path)


def built(text: str, **names: Any) -> str:
    """The version of `fn` of a program without a file."""
    scope = {"__name__": "__main__", **names}
    exec(text, scope)
    return version(scope["fn"])


def version(fn: Callable[..., Any]) -> str:
    graph = AssetGraph.build([asset(name="a", code_version="auto")(fn)])
    return str(CodeVersions()(graph[AssetKey("a")]))


def test_a_function_without_text_counts_by_its_bytecode() -> None:
    text = "def helper(x):\n    return x + 1\ndef fn():\n    return helper(2)"

    assert built(text) == built(text + "  # a comment")
    assert built(text) != built(text.replace("helper(2)", "helper(3)"))
    assert built(text) != built(text.replace("x + 1", "x - 1"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, "1"),
        (True, 1),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (len, max),
        (float("nan"), 0.0),
        (0.0, -0.0),
        (b"a", "a"),
        ((1, (2,)), (1, 2)),
    ],
    ids=repr,
)
def test_values_that_a_function_closes_over(one: Any, other: Any) -> None:
    def closing(value: Any) -> str:
        return version(lambda: value)

    assert closing(one) == closing(one)
    assert closing(one) != closing(other)


def test_what_holds_itself_is_read_once() -> None:
    circle: list[Any] = [1]
    circle.append(circle)

    assert version(lambda: circle) == version(lambda: circle)


def test_an_explicit_version_is_kept() -> None:
    graph = AssetGraph.build([asset(name="a", code_version="3")(lambda: 1), asset(name="b")(lambda: 1)])

    assert [CodeVersions()(node) for node in graph] == ["3", None]


def test_a_sum_of_thousands_of_terms_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]
) -> None:
    (tmp_path / "longsum.py").write_text(f"def fn(x=1):\n    return {' + '.join(['x'] * 2500)}\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert len(version(importlib.import_module("longsum").fn)) == 16
    forget_modules_of(tmp_path)
