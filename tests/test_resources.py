from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from warehouse_assets import EnvVar, InitResourceContext, resource
from warehouse_assets.errors import ResourceError


def context(**values: Any) -> InitResourceContext:
    return InitResourceContext(logging.getLogger("test"), **values)


@pytest.mark.semantics(19)
def test_an_environment_variable_is_read_when_asked_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = EnvVar("WA_HOST"), EnvVar.int("WA_PORT")
    monkeypatch.setenv("WA_HOST", "db.example")
    monkeypatch.setenv("WA_PORT", "5432")

    assert [variable.get_value() for variable in variables] == ["db.example", 5432]


@pytest.mark.semantics(19)
def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_HOST", raising=False)

    with pytest.raises(ResourceError, match="'WA_HOST' is not set"):
        EnvVar("WA_HOST").get_value()


def test_a_variable_that_is_not_set_may_have_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_HOST", raising=False)

    assert EnvVar("WA_HOST").get_value("localhost") == "localhost"


@pytest.mark.semantics(19)
def test_a_value_of_a_wrong_type_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PORT", "s3cret")

    with pytest.raises(ResourceError) as caught:
        EnvVar.int("WA_PORT").get_value()

    assert str(caught.value) == "the environment variable 'WA_PORT' does not hold a value of type int"


def test_a_variable_shows_its_name_and_survives_copies() -> None:
    variable = EnvVar.int("WA_PORT")
    copies = [pickle.loads(pickle.dumps(variable)), copy.deepcopy(variable)]

    assert [(one.name, one.convert, repr(one)) for one in copies] == [("WA_PORT", int, "EnvVar('WA_PORT')")] * 2


def returned() -> str:
    return "value"


def returned_with_context(init: InitResourceContext) -> str:
    return f"value for {init.run_id}"


def yielded() -> Generator[str]:
    yield "value"


@contextmanager
def managed() -> Generator[str]:
    yield "value"


@pytest.mark.semantics(19)
@pytest.mark.parametrize(
    ("fn", "value"),
    [(returned, "value"), (returned_with_context, "value for r1"), (yielded, "value"), (managed, "value")],
    ids=["returned", "returned_with_context", "yielded", "managed"],
)
def test_a_resource_is_made_by_a_function(fn: Any, value: str) -> None:
    with resource(fn).yield_for_execution(context(run_id="r1")) as made:
        pass

    assert made == value


@pytest.mark.semantics(19)
@pytest.mark.parametrize("wrap", [lambda fn: fn, contextmanager], ids=["generator", "context_manager"])
def test_a_resource_that_yields_is_torn_down_after_an_error(wrap: Any) -> None:
    steps = []

    def connection() -> Generator[str]:
        steps.append("open")
        try:
            yield "connection"
        finally:
            steps.append("close")

    with pytest.raises(ZeroDivisionError), resource(wrap(connection)).yield_for_execution(context()):
        steps.append(1 // 0)

    assert steps == ["open", "close"]


def test_a_resource_takes_its_fixed_configuration() -> None:
    @resource(config_schema={"host": str}, description="where it is")
    def place(init: InitResourceContext) -> str:
        return init.resource_config["host"]

    fixed = place.configured({"host": "db.example"})
    with fixed.yield_for_execution(context()) as made:
        pass

    assert (made, fixed.description, "db.example" in repr(fixed)) == ("db.example", "where it is", False)


def test_a_resource_is_described_by_its_docstring_and_can_be_called() -> None:
    @resource
    def answer() -> int:
        """The answer."""
        return 42

    assert (answer.description, answer()) == ("The answer.", 42)
