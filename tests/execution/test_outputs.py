from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from warehouse_assets import (
    SQL,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    Instance,
    IOManager,
    MaterializeResult,
    MetadataValue,
    Output,
    RunResult,
    SourceAsset,
    asset,
    materialize,
)
from warehouse_assets.errors import InvalidInvocationError, InvalidMetadataError, InvalidOutputError


def plain(result: RunResult) -> dict[str, Any]:
    """What the one materialization of a run says, as plain values."""
    (event,) = result.get_asset_materialization_events()
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def tags(result: RunResult) -> dict[str, str]:
    """The tags of the one materialization of a run."""
    (event,) = result.get_asset_materialization_events()
    assert event.asset_materialization is not None
    return {name.partition("/")[2] or name: value for name, value in event.asset_materialization.tags.items()}


def value() -> Any:
    return 3


def output() -> Any:
    return Output(3, metadata={"a": 1}, data_version="v", tags={"t": "u"})


def result() -> Any:
    return MaterializeResult(value=3, metadata={"a": 1}, data_version="v", tags={"t": "u"})


def yielded_output() -> Iterator[Any]:
    yield Output(3, metadata={"a": 1}, data_version="v", tags={"t": "u"})


def yielded_result() -> Iterator[Any]:
    yield MaterializeResult(value=3, metadata={"a": 1}, data_version="v", tags={"t": "u"})


@pytest.mark.semantics(22)
@pytest.mark.parametrize("fn", [value, output, result, yielded_output, yielded_result], ids=lambda fn: fn.__name__)
def test_every_way_to_give_a_value(fn: Any, store: Any) -> None:
    run = materialize([asset(name="a")(fn)], resources={"io_manager": store})

    derived = {"data_version": tags(run)["data_version"]}
    said = ({}, derived) if fn is value else ({"a": 1}, {"t": "u", "data_version": "v"})
    assert (store.values, plain(run), tags(run)) == ({AssetKey("a"): 3}, *said)


@pytest.mark.semantics(22)
def test_a_result_without_a_value_is_the_record_of_a_write_that_the_function_did(store: Any) -> None:
    @asset
    def a() -> MaterializeResult[Any]:
        return MaterializeResult(metadata={"a": 1})

    run = materialize([a], resources={"io_manager": store})

    assert (store.stored, plain(run)) == ([], {"a": 1})


@pytest.mark.semantics(9)
def test_a_function_that_returns_nothing_is_recorded_and_not_stored(store: Any) -> None:
    @asset
    def a() -> None: ...

    run = materialize([a], resources={"io_manager": store})

    assert (store.stored, plain(run), run.asset_value("a")) == ([], {}, None)


@pytest.mark.semantics(9)
def test_such_an_asset_needs_no_manager_at_all(instance: Instance) -> None:
    @asset(io_manager_key="nowhere")
    def a() -> None: ...

    assert materialize([a], instance=instance).success


@pytest.mark.semantics(9)
@pytest.mark.parametrize(
    "fn", [lambda: None, lambda: Output(None), lambda: MaterializeResult(value=None)], ids=["none", "out", "result"]
)
def test_none_is_a_value(fn: Any, store: Any) -> None:
    materialize([asset(name="a")(fn)], resources={"io_manager": store})

    assert store.values == {AssetKey("a"): None}


@pytest.mark.semantics(9)
def test_a_value_from_a_function_that_promised_nothing_is_an_error(store: Any) -> None:
    @asset
    def a() -> None:
        return 3

    with pytest.raises(InvalidOutputError, match="asset 'a' is annotated `-> None` and returned a value of type int"):
        materialize([a], resources={"io_manager": store})


@pytest.mark.semantics(22)
@pytest.mark.parametrize("required", [True, False])
def test_nothing_yielded(required: bool, executor: Any, instance: Instance, new_manager: Any) -> None:
    store = new_manager(a=1)

    @asset(output_required=required)
    def a() -> Iterator[Output[int]]:
        yield from ()

    @asset
    def loads(a: int) -> int:
        raise AssertionError

    @asset(deps=[a])
    def follows() -> int:
        raise AssertionError

    @asset
    def beside() -> int:
        return 2

    run = materialize(
        [a, loads, follows, beside],
        resources={"io_manager": store},
        instance=instance,
        raise_on_error=False,
        executor=executor,
    )

    assert run.success is not required
    assert (run.steps("no_output", "failure"), run.steps("success"), set(run.steps("skipped"))) == (
        ["a"],
        ["beside"],
        {"loads", "follows"},
    )
    assert (store.values, store.stored) == ({AssetKey("a"): 1, AssetKey("beside"): 2}, ["beside"])
    assert [event.asset_key for event in run.get_asset_materialization_events()] == [AssetKey("beside")]
    assert instance.get_latest_materialization_event("a") is None
    if required:
        assert "asset 'a' gave no value for a" in str(run.failures["a"])


@pytest.mark.semantics(22)
def test_returning_none_is_not_skipping(store: Any) -> None:
    @asset(output_required=False)
    def a() -> Any:
        return None

    @asset
    def loads(a: Any) -> bool:
        return a is None

    run = materialize([a, loads], resources={"io_manager": store})

    assert (store.values, run.steps("skipped")) == ({AssetKey("a"): None, AssetKey("loads"): True}, [])


@pytest.mark.semantics(22)
@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([3], "yields a value of type int. Yield Output(value)."),
        ([Output(1), Output(2)], "gave 'a' twice"),
        ([Output(1, output_name="other")], "has no output 'other'; it has ['result']"),
        ([MaterializeResult(asset_key="b")], "does not make the asset 'b'"),
        ([MaterializeResult(check_results=[1])], "gives check results, and declares no checks"),
    ],
    ids=["value", "twice", "name", "key", "checks"],
)
def test_what_may_not_be_yielded(items: list[Any], message: str, store: Any) -> None:
    @asset
    def a() -> Any:
        yield from items

    with pytest.raises(InvalidOutputError) as caught:
        materialize([a], resources={"io_manager": store})

    assert str(caught.value) == f"asset 'a' {message}"


class Telling(IOManager):
    """Says something of each write, in one way or the other."""

    def __init__(self, *told: dict[str, Any], by: str = "context") -> None:
        self.told = told
        self.by = by

    def handle_output(self, context: Any, obj: Any) -> Any:
        if self.by == "yield":
            return iter(self.told)
        for metadata in self.told:
            context.add_output_metadata(metadata)
        return None

    def load_input(self, context: Any) -> Any: ...


@pytest.mark.semantics(23)
@pytest.mark.parametrize("by", ["context", "yield"])
def test_all_metadata_merges_into_one_materialization(by: str) -> None:
    @asset
    def a(context) -> Any:
        context.add_output_metadata({"context": 1})
        context.add_asset_metadata({"asset": MetadataValue.md("**2**")}, asset_key="a")
        return Output(3, metadata={"output": 3})

    run = materialize([a], resources={"io_manager": Telling({"store": 4}, {"more": "5"}, by=by)})

    assert plain(run) == {"context": 1, "asset": "**2**", "output": 3, "store": 4, "more": "5"}


@pytest.mark.semantics(23)
@pytest.mark.parametrize("by", ["context", "yield"])
@pytest.mark.parametrize(
    ("told", "message"),
    [
        (({"x": 1}, {"x": 1}), r"manager of asset 'a' set the metadata \['x'\] twice"),
        (({"x": object()},), "'x': a value of type object"),
    ],
    ids=["twice", "type"],
)
def test_metadata_of_a_manager_that_cannot_be_recorded_is_an_error(by: str, told: Any, message: str) -> None:
    with pytest.raises(InvalidMetadataError, match=message):
        materialize([asset(name="a")(value)], resources={"io_manager": Telling(*told, by=by)})


@pytest.mark.semantics(23)
@pytest.mark.parametrize("options", [{"output_name": "other"}, {"asset_key": "b"}], ids=str)
def test_metadata_for_what_the_step_does_not_make_is_an_error(options: Any, store: Any) -> None:
    @asset
    def a(context) -> None:
        context.add_output_metadata({"x": 1}, **options)

    with pytest.raises(InvalidInvocationError, match=r"'(other|b)'"):
        materialize([a], resources={"io_manager": store})


@pytest.mark.semantics(24)
def test_a_manager_is_told_what_is_declared(store: Any, instance: Instance) -> None:
    @asset(key_prefix="x", metadata={"schema": "main"}, code_version="7")
    def a() -> dict[str, int]:
        return {}

    @asset(metadata={"own": 1})
    def b(a: dict[str, int]) -> None: ...

    run = materialize([a, b], resources={"io_manager": store}, instance=instance)
    (written,), (read,) = store.outputs, store.inputs

    assert (written.definition_metadata, read.upstream_output.definition_metadata) == ({"schema": "main"}, {"schema": "main"})
    assert (written.asset_key, written.step_key, written.run_id, written.version) == (a.key, "x/a", run.run_id, "7")
    assert (written.name, written.instance, written.output_metadata) == ("result", instance, {})
    assert (read.asset_key, read.name, read.step_key, read.run_id) == (a.key, "a", "b", run.run_id)
    assert (read.type_hint, read.metadata, read.upstream_output.asset_key) == (dict[str, int], {}, a.key)
    assert [context.has_partition_key for context in (written, read)] == [False, False]


@pytest.mark.semantics(25)
def test_versions_are_tags_of_the_materialization(store: Any) -> None:
    @asset(code_version="7")
    def a(context) -> int:
        context.set_data_version("a", "d1")
        return 3

    assert tags(materialize([a], resources={"io_manager": store})) == {"code_version": "7", "data_version": "d1"}


@pytest.mark.semantics(22)
def test_materializations_and_observations_of_other_tables_may_be_yielded(instance: Instance, store: Any) -> None:
    @asset
    def a() -> Iterator[Any]:
        yield AssetObservation(AssetKey("seen"), metadata={"late": True})
        yield AssetMaterialization(AssetKey("other"), metadata={"rows": 1})
        yield Output(3)

    materialize([a], resources={"io_manager": store}, instance=instance)
    seen, other = instance.get_latest_observation_event("seen"), instance.get_latest_materialization_event("other")

    assert seen is not None
    assert other is not None
    assert (seen.asset_observation.metadata, other.asset_materialization.metadata) == (
        {"late": MetadataValue.bool(True)},
        {"rows": MetadataValue.int(1)},
    )


@pytest.mark.semantics(22)
def test_a_table_that_was_written_before_the_step_failed_is_recorded(store: Any) -> None:
    @asset
    def a() -> Iterator[Any]:
        yield Output(3)
        raise ValueError("too late")

    run = materialize([a], resources={"io_manager": store}, raise_on_error=False)

    assert (store.values, len(run.get_asset_materialization_events()), run.steps("failure")) == ({AssetKey("a"): 3}, 1, ["a"])


def test_sql_for_a_manager_that_runs_none_is_an_error(store: Any) -> None:
    with pytest.raises(InvalidOutputError, match="asset 'a' gave SQL, and its I/O manager RememberingManager runs none"):
        materialize([asset(name="a")(lambda: SQL("select 1"))], resources={"io_manager": store})


def test_sql_is_handed_to_its_manager_with_the_tables_that_the_asset_depends_on(new_manager: Any) -> None:
    class Engine(new_manager):
        store_id = "engine"

        def run_sql(self, context: Any, sql: SQL) -> None: ...

    engine, lake = Engine(b=1), new_manager()

    @asset(deps=["raw/orders", "raw/gone"])
    def a(b: Any) -> SQL:
        return SQL("select * from raw.orders join b using (id)")

    sources = [SourceAsset("raw/orders", io_manager_key="lake", metadata={"path": "x"}), SourceAsset("b")]
    materialize([a, *sources], resources={"io_manager": engine, "lake": lake})
    (told,) = engine.outputs
    orders = told.sources[AssetKey(["raw", "orders"])]

    assert engine.values[a.key] == SQL("select * from raw.orders join b using (id)")
    assert {key.to_user_string() for key in told.sources} == {"raw/orders", "raw/gone", "b"}
    assert (orders.io_manager, orders.context.upstream_output.definition_metadata) == (lake, {"path": "x"})
    assert told.sources[AssetKey("b")].io_manager is engine
