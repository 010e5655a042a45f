"""Tests of assets that are written in YAML: the tables that are given, and the one that is expected."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from warehouse_assets.asset_tests.bench import check_asset
from warehouse_assets.code_location.sql_files import SQLFile, read_section
from warehouse_assets.code_location.sql_headers import Section
from warehouse_assets.definitions.naming import Faults, Place
from warehouse_assets.errors import InvalidDefinitionError, InvalidSQLError, close_matches
from warehouse_assets.graph.asset_graph import suggest_keys
from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource
from warehouse_assets.io_manager.registry import io_manager_from_uri
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import quote_identifier

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["AssetTest", "asset_tests"]

ENDINGS = (".test.yaml", ".test.yml")
_KEYS = ("name", "asset", "description", "given", "expect", "partition", "by", "ordered", "rel_tol", "abs_tol")
_TABLE_KEYS = ("rows", "csv", "sql", "columns")
_TYPE = re.compile(r"[A-Za-z_][\w ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?(\[\])*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?")


@dataclass(frozen=True, slots=True)
class AssetTest:
    """One test of an asset: what it is called, where it is written, and what it says. `run` runs it."""

    definitions: Definitions
    asset_key: AssetKey
    name: str
    place: Place
    section: Section
    path: tuple[Any, ...]
    values: Mapping[str, Any]

    def run(self) -> None:
        """Make the asset in memory from the tables that are given; AssertionError where it is not as expected.

        InvalidDefinitionError for a test that cannot be meant, and what the asset itself raises.
        """
        __tracebackhide__ = True
        values = self.values
        given = {AssetKey.from_user_string(name): self._table("given", name) for name in values.get("given") or {}}
        options = {name: values[name] for name in ("by", "rel_tol", "abs_tol") if name in values}
        check_asset(
            self.definitions,
            self.asset_key,
            given=given,
            expect=self._table("expect"),
            partition_key=None if values.get("partition") is None else str(values["partition"]),
            check_order=bool(values.get("ordered", False)),
            check_types=False,
            partial=True,
            **options,
        )

    def _table(self, *path: str) -> pl.DataFrame:
        """The table that is written at this place of the test."""
        told: Any = self.values
        for step in path:
            told = told[step]
        where = self.section.place([*self.path, *path])
        if isinstance(told, list):
            told = {"rows": told}
        if not isinstance(told, Mapping) or not told:
            raise _fault(f"{path[-1]!r} is {told!r}, not a table", where, "Write a list of rows, each as {column: value, …}.")
        if wrong := [name for name in told if name not in _TABLE_KEYS]:
            raise _fault(f"{path[-1]!r} has {wrong[0]!r}", where, close_matches(wrong[0], _TABLE_KEYS))
        if sum(name in told for name in ("rows", "csv", "sql")) > 1:
            raise _fault(f"{path[-1]!r} is told in several ways", where, "Give one of rows, csv and sql.")
        return _typed(_frame(told, path[-1], where, infer=path[0] == "given"), told.get("columns") or {}, path[-1], where)

    def __str__(self) -> str:
        return f"{self.asset_key.to_user_string()}: {self.name}"


def asset_tests(
    definitions: Definitions, selection: Any = None, *, files: Iterable[str | os.PathLike[str]] = ()
) -> list[AssetTest]:
    """The tests that are written beside the SQL files of the selected assets, or of all, and in other `files`.

    Those of `models/daily.sql` are in its header or in `models/daily.yaml`, under `tests`, or in `models/daily.test.yaml`. A test in
    one of `files`, which may be folders, names its `asset`. With pytest:

        @pytest.mark.parametrize("test", asset_tests(defs), ids=str)
        def test_assets(test):
            test.run()

    Raises InvalidDefinitionError, or a group of all faults in the files.
    """
    from warehouse_assets.graph.selection import select_executable

    graph = definitions.graph
    selected = select_executable(graph, selection)
    faults = Faults()
    found: list[AssetTest] = []
    for key in graph.order:
        node = graph.nodes[key]
        if key in selected and node.sql is not None and node.sql.origin is not None:
            for section in faults.attempt(_sections_beside, node.sql.origin.file) or ():
                found += _tests_in(definitions, section, key, faults)
    for file in _test_files(files):
        if (other := faults.attempt(read_section, file)) is not None:
            found += [test for test in _tests_in(definitions, other, None, faults) if test.asset_key in selected]
    faults.settle("the tests of the assets")
    return found


def _sections_beside(path: str) -> list[Section]:
    """The mappings of YAML that a `.sql` file has and that are beside it, in which the tests of its asset may be."""
    if not path.lower().endswith(".sql") or not os.path.isfile(path):
        return []
    stem = path[: -len(".sql")]
    beside = [file for end in (".yaml", ".yml") if os.path.isfile(file := stem + end)]
    tests = [file for end in ENDINGS if os.path.isfile(file := stem + end)]
    return [*SQLFile.read(path, beside).sections, *map(read_section, tests)]


def _test_files(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    for path in [os.fspath(path) for path in paths]:
        if os.path.isfile(path):
            yield path
        elif not os.path.isdir(path):
            raise _fault(f"there is no file or folder {path!r}", None, None)
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(ENDINGS))


def _tests_in(definitions: Definitions, section: Section, key: AssetKey | None, faults: Faults) -> Iterator[AssetTest]:
    told = section.values.get("tests") or []
    if not isinstance(told, list):
        faults.add("the tests are no list", where=section.place(["tests"]), hint="Write - name: …, given: …, expect: ….")
        return
    for number, values in enumerate(told):
        path = ("tests", number)
        where = section.place(path)
        if not isinstance(values, Mapping):
            faults.add(f"test {number + 1} is {values!r}", where=where, hint="Write - name: …, given: …, expect: ….")
            continue
        wrong = next((name for name in values if name not in _KEYS), None)
        asset = key or (AssetKey.from_user_string(str(values["asset"])) if "asset" in values else None)
        if wrong is not None:
            hint = close_matches(str(wrong), _KEYS) or f"There are {', '.join(_KEYS)}."
            faults.add(f"the test has {wrong!r}", where=section.place([*path, wrong]), hint=hint)
        elif "expect" not in values:
            faults.add("the test expects nothing", where=where, hint="Write expect: and the rows.")
        elif asset is None:
            faults.add("the test names no asset", where=where, hint="Write asset: schema/table.")
        elif asset not in definitions.graph:
            hint = suggest_keys(asset, definitions.graph.nodes)
            faults.add(f"there is no asset {asset.to_user_string()!r}", where=where, hint=hint)
        elif not isinstance(values.get("given") or {}, Mapping):
            faults.add("what is given is no mapping", where=section.place([*path, "given"]), hint="Write table: and its rows.")
        else:
            name = str(values.get("name") or f"test {number + 1}")
            yield AssetTest(definitions, asset, name, where, section, path, values)


def _frame(told: Mapping[str, Any], name: str, where: Place, *, infer: bool) -> pl.DataFrame:
    """The rows as they are written; with `infer`, columns of text that hold days or moments alone become such."""
    if "sql" in told:
        return _answer(SQL(str(told["sql"])), {}, name, where)
    if "csv" in told:
        text = str(told["csv"]).strip()
        return pl.read_csv(io.StringIO(text), try_parse_dates=infer, infer_schema_length=None) if text else pl.DataFrame()
    rows = told.get("rows") or []
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise _fault(f"the rows of {name!r} are {rows!r}", where, "Write each as {column: value, …}.")
    columns = dict.fromkeys(column for row in rows for column in row)
    return pl.DataFrame({column: _column([row.get(column) for row in rows], infer=infer) for column in columns}, strict=False)


def _column(values: Sequence[Any], *, infer: bool) -> pl.Series:
    present = [value for value in values if value is not None]
    column = pl.Series(values, strict=False)
    if infer and present and all(isinstance(value, str) for value in present):
        if all(map(_DATE.fullmatch, present)):
            return column.str.to_date(strict=False)
        if all(map(_MOMENT.fullmatch, present)):
            return column.str.to_datetime(time_unit="us", strict=False)
    return column


def _typed(frame: pl.DataFrame, types: Mapping[str, str], name: str, where: Place) -> pl.DataFrame:
    """The frame with the columns that have a type, those that no row has among them."""
    if not isinstance(types, Mapping):
        raise _fault(f"the columns of {name!r} are {types!r}", where, "Write columns: {id: bigint, day: date}.")
    if not types:
        return frame
    for column, dtype in types.items():
        if not isinstance(dtype, str) or not _TYPE.fullmatch(dtype):
            raise _fault(
                f"the type of the column {column!r} of {name!r} is {dtype!r}", where, "Write bigint or decimal(10, 2)."
            )
    if not frame.width:
        frame = pl.DataFrame(schema=dict.fromkeys(types, pl.Null))
    names = dict.fromkeys([*frame.columns, *types])
    query = ", ".join(
        f"{quote_identifier(column) if column in frame.columns else 'null'}"
        + (f"::{types[column]} as {quote_identifier(column)}" if column in types else "")
        for column in names
    )
    return _answer(SQL(f"select {query} from given"), {"given": frame}, name, where)


def _answer(sql: SQL, tables: Mapping[str, pl.DataFrame], name: str, where: Place) -> pl.DataFrame:
    engine: Any = io_manager_from_uri("duckdb://")
    manager = io_manager_from_uri("memory://")
    sources = {}
    for table, frame in tables.items():
        key = AssetKey(table)
        manager.handle_output(OutputContext(key), frame)
        sources[key] = TableSource(manager, InputContext(key))
    try:
        with engine.query(sql, sources) as reader:
            return pl.DataFrame(reader.read_all())
    except InvalidSQLError as error:
        raise _fault(f"{name!r} cannot be made: {error.message}", where, error.hint) from None
    except Exception as error:
        raise _fault(f"{name!r} cannot be made: {error}", where, None) from error


def _fault(message: str, where: Place | None, hint: str | None) -> InvalidDefinitionError:
    return InvalidDefinitionError(message, where=None if where is None else str(where), hint=hint)
