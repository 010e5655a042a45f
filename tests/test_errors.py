from __future__ import annotations

import pickle
from typing import Any

import pytest

from warehouse_assets import errors
from warehouse_assets.errors import (
    ExtraRequiredError,
    Failure,
    InvalidDefinitionError,
    InvalidDefinitionsError,
    RetryRequested,
    StoreLockedError,
    WarehouseAssetsError,
    close_matches,
)

CLASSES = [
    value
    for name in errors.__all__
    if isinstance(value := getattr(errors, name), type) and value is not InvalidDefinitionsError
]
BUILTINS = {
    "ExecutionError": RuntimeError,
    "ExtraRequiredError": ImportError,
    "InstanceError": RuntimeError,
    "InvalidConfigError": ValueError,
    "InvalidDefinitionError": ValueError,
    "InvalidDefinitionsError": ExceptionGroup,
    "InvalidInvocationError": TypeError,
    "InvalidMetadataError": TypeError,
    "InvalidOutputError": TypeError,
    "InvalidSQLError": ValueError,
    "InvalidSelectionError": ValueError,
    "ColumnContractError": ValueError,
    "OutsidePartitionError": ValueError,
    "RowKeyError": ValueError,
    "PartitionNotFoundError": LookupError,
    "ResourceError": LookupError,
    "RunNotFoundError": LookupError,
    "SchemaChangedError": ValueError,
    "StoreLockedError": TimeoutError,
    "TableNotFoundError": LookupError,
    "UnsupportedTypeError": TypeError,
}


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items(), ids=BUILTINS)
def test_an_error_is_also_the_builtin_that_fits(name: str, builtin: type[Exception]) -> None:
    cls = getattr(errors, name)

    assert [issubclass(cls, base) for base in (WarehouseAssetsError, builtin)] == [True, True]


def test_the_modules_docstring_shows_the_whole_tree() -> None:
    names = {cls.__name__ for cls in [*CLASSES, InvalidDefinitionsError]}

    assert {name for name in names if name not in (errors.__doc__ or "")} == set()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (WarehouseAssetsError("it is odd"), "it is odd"),
        (WarehouseAssetsError("it is odd", where="a.py:3"), "it is odd (a.py:3)"),
        (WarehouseAssetsError("it is odd", hint="Make it even."), "it is odd. Make it even."),
        (WarehouseAssetsError("is it odd?", hint="Make it even."), "is it odd? Make it even."),
        (WarehouseAssetsError(), ""),
        (ExtraRequiredError.of("polars", "duckdb", "reading"), None),
        (Failure("no rows", metadata={"rows": 0}), "no rows"),
    ],
    ids=repr,
)
def test_the_message_has_what_where_and_what_to_do(error: Exception, text: str | None) -> None:
    expected = text if text is not None else "reading needs the package 'polars'. pip install \"warehouse-assets[duckdb]\""

    assert str(error) == expected


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_survives_pickling(cls: Any) -> None:
    error = {Failure: Failure("no rows", {"rows": 0}, allow_retries=False), RetryRequested: RetryRequested(3, 0.5)}.get(cls)
    if error is None:
        error = cls("what", where="a.py:3", hint="do this")
    error.add_note("in asset 'a'")

    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), copy.__dict__) == (cls, str(error), error.__dict__)


def test_the_process_that_holds_a_store_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(StoreLockedError("held", pid=7))).pid == 7


def test_several_faults_are_one_error_that_lists_them() -> None:
    group = InvalidDefinitionsError("2 faults", [InvalidDefinitionError("a", where="x.py:1"), InvalidDefinitionError("b")])

    copy = pickle.loads(pickle.dumps(group))

    assert isinstance(group, InvalidDefinitionError)
    assert [str(group), str(copy)] == ["2 faults:\n  - a (x.py:1)\n  - b"] * 2
    assert [str(fault) for fault in copy.exceptions] == ["a (x.py:1)", "b"]


def test_a_group_of_faults_can_be_split() -> None:
    group = InvalidDefinitionsError("2 faults", [InvalidDefinitionError("a"), InvalidDefinitionError("b")])

    matching, rest = group.split(lambda error: str(error) == "a")

    assert [str(part.exceptions[0]) for part in (matching, rest) if part is not None] == ["a", "b"]


@pytest.mark.parametrize(
    ("wrong", "known", "suggestion"),
    [
        ("ordrs", ["orders", "customers"], "Did you mean 'orders'?"),
        ("ORDERS", ["orders"], "Did you mean 'orders'?"),
        ("stg/orders", ["warehouse_of_the_company/orders", "b"], "Did you mean 'warehouse_of_the_company/orders'?"),
        ("xyz", ["orders"], None),
        ("xyz", [], None),
    ],
)
def test_close_names_are_suggested(wrong: str, known: list[str], suggestion: str | None) -> None:
    assert close_matches(wrong, known) == suggestion
