from __future__ import annotations

import functools
import typing
from typing import TYPE_CHECKING, Any

import pytest

from warehouse_assets import AssetExecutionContext, Config, ConfigurableResource, asset, materialize
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.errors import InvalidDefinitionError

if TYPE_CHECKING:
    import email.message as message
    from decimal import Decimal as Number

    from package_that_is_not_there import Ghost

if typing.TYPE_CHECKING:
    import fractions


class Limits(Config):
    rows: int = 3


class Database(ConfigurableResource):
    host: str = "localhost"


def annotated(
    context: AssetExecutionContext, config: Limits, database: Database, a: Number, b: fractions.Fraction, *, c: Later = 3
) -> message.Message: ...


class Later: ...


def annotation_of(fn: Any, name: str) -> Any:
    return UserFunction(fn).annotation(name)


@pytest.mark.semantics(18, 19)
def test_annotations_say_what_a_parameter_is_filled_with() -> None:
    roles = [(parameter.name, parameter.role, parameter.has_default) for parameter in UserFunction(annotated).parameters]

    assert roles == [
        ("context", "context", False),
        ("config", "config", False),
        ("database", "resource", False),
        ("a", "input", False),
        ("b", "input", False),
        ("c", "input", True),
    ]


@pytest.mark.parametrize(
    ("name", "path"),
    [("a", "decimal.Decimal"), ("b", "fractions.Fraction"), ("c", f"{__name__}.Later"), ("return", "email.message.Message")],
)
def test_annotations_are_resolved_when_used_also_under_type_checking(name: str, path: str) -> None:
    found = annotation_of(annotated, name)

    assert f"{found.__module__}.{found.__qualname__}" == path


def test_an_annotation_may_be_a_class_of_the_enclosing_function() -> None:
    class Local: ...

    def fn(a: Local, b: list[Local]) -> type[Local]:
        return Local

    assert (annotation_of(fn, "a"), annotation_of(fn, "b")) == (Local, list[Local])


def test_an_annotation_may_be_a_class_that_only_annotations_of_a_nested_function_name(store: Any) -> None:
    class Width(Config):
        metres: int = 3

    @asset
    def a(width: Width) -> int:
        return width.metres

    assert materialize([a], resources={"io_manager": store}).asset_value("a") == 3


def test_a_parameter_without_annotation_has_none() -> None:
    def fn(a, b: Any): ...

    assert (annotation_of(fn, "a"), annotation_of(fn, "b"), annotation_of(fn, "return")) == (None, Any, None)


@pytest.mark.parametrize("annotation", ["Ghost", "NotDefinedAnywhere", "1 / 0", "int ["])
def test_an_annotation_that_cannot_be_resolved_says_so(annotation: str) -> None:
    def fn(a: Any) -> None: ...

    fn.__annotations__["a"] = annotation

    with pytest.raises(InvalidDefinitionError, match=r"annotation of 'a' of 'fn' cannot be resolved.*test_functions.py:\d+"):
        annotation_of(fn, "a")


def test_an_annotation_that_cannot_be_resolved_is_reported_with_the_graph(store: Any) -> None:
    @asset
    def one(a: Ghost) -> None: ...

    with pytest.raises(InvalidDefinitionError, match="'a' of 'one' cannot be resolved: 'Ghost'"):
        materialize([one], resources={"io_manager": store})


@pytest.mark.parametrize("name", ["context", "_context", "_"])
def test_the_first_parameter_may_be_the_context_by_its_name(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def fn({name}, a): ...", scope)

    assert UserFunction(scope["fn"]).context_parameter == name


def test_a_context_is_found_by_its_annotation_anywhere() -> None:
    def fn(a: int, ctx: AssetExecutionContext) -> None: ...

    assert UserFunction(fn).context_parameter == "ctx"


class Caller:
    def __call__(self, a: int, b: int = 1) -> int:
        return a + b

    def method(self, a: int) -> int:
        return a

    @staticmethod
    def static(a: int) -> int:
        return a


def doubled(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return 2 * fn(*args, **kwargs)

    return wrapper


@doubled
def decorated(a: int) -> int:
    return a


@pytest.mark.parametrize(
    ("fn", "names"),
    [
        (decorated, ["a"]),
        (Caller(), ["a", "b"]),
        (Caller().method, ["a"]),
        (Caller.static, ["a"]),
        (functools.partial(annotated, 1), ["config", "database", "a", "b", "c"]),
        (lambda a, b: None, ["a", "b"]),
        (lambda *args, **kwargs: None, []),
    ],
    ids=["decorated", "object", "method", "static", "partial", "lambda", "anything"],
)
def test_every_kind_of_callable_has_parameters(fn: Any, names: list[str]) -> None:
    assert [parameter.name for parameter in UserFunction(fn).parameters] == names


def test_a_decorated_function_is_run_with_its_decorator(new_manager: Any) -> None:
    from warehouse_assets import SourceAsset

    result = materialize([asset(decorated), SourceAsset("a")], resources={"io_manager": new_manager(a=4)})

    assert result.asset_value("decorated") == 8


@pytest.mark.semantics(9)
@pytest.mark.parametrize(
    ("annotation", "nothing"), [(None, True), ("None", True), (type(None), True), ("int | None", False), (int, False)], ids=repr
)
def test_only_an_annotation_of_none_says_that_nothing_is_returned(annotation: Any, nothing: bool) -> None:
    def fn() -> Any: ...

    fn.__annotations__["return"] = annotation

    assert UserFunction(fn).returns_nothing is nothing
