from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

import pytest
from pydantic import PrivateAttr

from warehouse_assets import (
    ConfigurableIOManager,
    ConfigurableResource,
    EnvVar,
    InitResourceContext,
    Instance,
    asset,
    materialize,
    resource,
)
from warehouse_assets.errors import InvalidConfigError, ResourceError


class Hooks(ConfigurableResource):
    """Notes when it is set up and torn down."""

    name: str = "hooks"
    _notes: list[str] = PrivateAttr(default_factory=list)

    def setup_for_execution(self, context: InitResourceContext) -> None:
        self._notes.append(f"{self.name} up in {context.run_id}")

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        self._notes.append(f"{self.name} down")


class Outer(ConfigurableResource):
    inner: Hooks


@asset
def uses(hooks: Hooks) -> str:
    return hooks.name


@asset
def breaks(hooks: Hooks) -> str:
    raise ValueError("broken")


@pytest.mark.semantics(19)
@pytest.mark.parametrize("assets", [[uses], [breaks], [uses, breaks]], ids=["success", "failure", "both"])
def test_hooks_are_called_once_around_the_run(assets: Any, executor: Any, store: Any) -> None:
    hooks = Hooks()

    result = materialize(assets, resources={"hooks": hooks, "io_manager": store}, executor=executor, raise_on_error=False)

    assert hooks._notes == [f"hooks up in {result.run_id}", "hooks down"]


@pytest.mark.semantics(19)
def test_hooks_of_nested_resources_are_called_too(store: Any) -> None:
    @asset
    def nested(outer: Outer) -> list[str]:
        return list(outer.inner._notes)

    inner = Hooks(name="inner")

    result = materialize([nested], resources={"outer": Outer(inner=inner), "io_manager": store})

    assert (result.asset_value("nested"), inner._notes[1:]) == ([f"inner up in {result.run_id}"], ["inner down"])


@pytest.mark.semantics(19)
def test_a_resource_that_nobody_needs_is_not_started(store: Any) -> None:
    hooks = Hooks()

    materialize([asset(name="a")(lambda: 1)], resources={"hooks": hooks, "io_manager": store})

    assert hooks._notes == []


@pytest.mark.semantics(19)
def test_resources_are_torn_down_in_turn_even_if_one_of_them_fails(store: Any, instance: Instance) -> None:
    notes: list[str] = []

    @resource
    def first() -> Generator[int]:
        yield 1
        notes.append("first down")

    @resource(required_resource_keys={"first"})
    def second(context: InitResourceContext) -> Generator[int]:
        yield context.resources.first + 1
        notes.append("second down")
        raise RuntimeError("cannot close")

    @asset(required_resource_keys={"second"})
    def a(context) -> int:
        return context.resources.second

    with pytest.raises(RuntimeError, match="cannot close\nwhile tearing down the resource 'second'"):
        materialize([a], resources={"first": first, "second": second, "io_manager": store}, instance=instance)

    assert (notes, store.values) == (["second down", "first down"], {a.key: 2})
    assert [(run.status) for run in instance.get_runs()] == ["FAILURE"]


@pytest.mark.semantics(19)
def test_a_resource_that_cannot_start_ends_the_run_before_any_step(store: Any, instance: Instance) -> None:
    hooks = Hooks()

    @resource
    def broken() -> int:
        raise ConnectionError("no route")

    @asset(required_resource_keys={"hooks", "broken"})
    def a() -> int:
        raise AssertionError

    with pytest.raises(ResourceError, match="the resource 'broken' could not start: ConnectionError: no route"):
        materialize([a], resources={"hooks": hooks, "broken": broken, "io_manager": store}, instance=instance)

    assert [run.status for run in instance.get_runs()] == ["FAILURE"]
    assert (instance.get_event_records(event_types="STEP_START"), len(hooks._notes) in (0, 2)) == ([], True)


@pytest.mark.semantics(19)
def test_resources_in_a_circle_are_an_error(store: Any) -> None:
    chicken = resource(required_resource_keys={"egg"})(lambda context: 1)
    egg = resource(required_resource_keys={"chicken"})(lambda context: 1)

    @asset(required_resource_keys={"egg"})
    def a() -> int: ...

    with pytest.raises(ResourceError, match=r"in a circle: (egg → chicken → egg|chicken → egg → chicken)"):
        materialize([a], resources={"chicken": chicken, "egg": egg, "io_manager": store})


@pytest.mark.semantics(19)
def test_anything_can_be_a_resource(store: Any) -> None:
    @asset(required_resource_keys={"rates"})
    def a(context) -> float:
        return context.resources.rates["eur"]

    assert materialize([a], resources={"rates": {"eur": 1.1}, "io_manager": store}).asset_value("a") == 1.1


@pytest.mark.semantics(19)
def test_a_resource_that_was_not_asked_for_is_not_seen(store: Any) -> None:
    @asset(required_resource_keys={"rates"})
    def a(context) -> float:
        return context.resources.rate

    with pytest.raises(AttributeError, match=r"no resource 'rate' here.*required_resource_keys.*'rates'"):
        materialize([a], resources={"rates": 1, "rate": 2, "io_manager": store})


@pytest.mark.semantics(19)
@pytest.mark.parametrize("needed", ["required_resource_keys", "parameter"])
def test_a_missing_resource_is_named_before_anything_runs(needed: str, store: Any, instance: Instance) -> None:
    declared = uses if needed == "parameter" else asset(name="uses", required_resource_keys={"hooks"})(lambda: 1)

    with pytest.raises(ResourceError, match=r"'hooks' is required by asset 'uses', and is not given. Did you mean 'hook'"):
        materialize([declared], resources={"hook": 1, "io_manager": store}, instance=instance)

    assert instance.get_runs() == []


class Shelf(ConfigurableIOManager):
    password: str
    _values: dict[str, Any] = PrivateAttr(default_factory=dict)

    def handle_output(self, context: Any, obj: Any) -> None:
        context.log.warning("storing with %r", self)
        context.add_output_metadata({"manager": repr(self)})
        self._values[context.asset_key] = obj

    def load_input(self, context: Any) -> Any:
        raise ConnectionError(f"refused: {self}")


@pytest.mark.semantics(19)
def test_a_secret_is_in_no_log_no_event_and_no_error(
    monkeypatch: pytest.MonkeyPatch, instance: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WA_PASSWORD", "s3cret")
    caplog.set_level(logging.DEBUG)

    @asset
    def a(context) -> int:
        context.log.info("resources: %s", context.resources)
        return 1

    @asset
    def b(a: int) -> int: ...

    result = materialize(
        [a, b], resources={"io_manager": Shelf(password=EnvVar("WA_PASSWORD"))}, instance=instance, raise_on_error=False
    )
    shown = f"{result} {result.failures} {result.events} {instance.get_event_records()} {instance.get_runs()} {caplog.text}"

    assert (result.steps("success"), result.steps("failure")) == (["a"], ["b"])
    assert ("s3cret" in shown, "EnvVar('WA_PASSWORD')" in shown) == (False, True)


@pytest.mark.semantics(19)
def test_a_variable_is_read_when_the_run_starts(monkeypatch: pytest.MonkeyPatch, store: Any) -> None:
    hooks = Hooks(name=EnvVar("WA_NAME"))
    monkeypatch.setenv("WA_NAME", "one")
    values = [materialize([uses], resources={"hooks": hooks, "io_manager": store}).asset_value("uses")]
    monkeypatch.setenv("WA_NAME", "two")
    values.append(materialize([uses], resources={"hooks": hooks, "io_manager": store}).asset_value("uses"))

    assert values == ["one", "two"]


@pytest.mark.semantics(19)
def test_a_variable_that_is_not_set_ends_the_run(monkeypatch: pytest.MonkeyPatch, store: Any) -> None:
    monkeypatch.delenv("WA_NAME", raising=False)

    with pytest.raises(ResourceError, match=r"resource Hooks, field 'name': .*'WA_NAME' is not set"):
        materialize([uses], resources={"hooks": Hooks(name=EnvVar("WA_NAME")), "io_manager": store})


@pytest.mark.semantics(19)
def test_a_value_of_a_variable_that_does_not_fit_is_not_shown(monkeypatch: pytest.MonkeyPatch, store: Any) -> None:
    class Port(ConfigurableResource):
        number: int

    @asset(required_resource_keys={"port"})
    def a() -> None: ...

    monkeypatch.setenv("WA_PORT", "s3cret")

    with pytest.raises(InvalidConfigError, match="resource Port: field 'number': input should be a valid integer") as caught:
        materialize([a], resources={"port": Port(number=EnvVar("WA_PORT")), "io_manager": store})

    assert "s3cret" not in f"{caught.value} {caught.value.__notes__}"
