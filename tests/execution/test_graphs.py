from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    AssetObservation,
    AssetOut,
    AssetsDefinition,
    Config,
    Failure,
    In,
    Instance,
    MaterializeResult,
    Nothing,
    OpExecutionContext,
    Out,
    Output,
    RetryPolicy,
    RetryRequested,
    RunConfig,
    asset,
    graph,
    graph_asset,
    graph_multi_asset,
    materialize,
    op,
)
from warehouse_assets.errors import InvalidConfigError, InvalidInvocationError, InvalidOutputError, ResourceError


def values(store: Any) -> dict[str, Any]:
    return {key.to_user_string(): value for key, value in store.values.items()}


@asset
def raw() -> int:
    return 1


@op
def double(x: int) -> int:
    return 2 * x


@op
def add(x: int, y: int, z: int = 0) -> int:
    return x + y + z


@pytest.mark.semantics(17)
def test_the_ops_of_a_graph_hand_their_values_over_in_memory(executor: Any, store: Any) -> None:
    @graph_asset(key_prefix="x")
    def much(raw: int) -> Any:
        return add(double(raw), double(double(raw)))

    result = materialize([raw, much], resources={"io_manager": store}, executor=executor)

    assert (values(store), result.steps()) == ({"raw": 1, "x/much": 6}, ["raw", "x/much"])
    assert result.output_for_node("x__much") == 6


@pytest.mark.semantics(17)
def test_a_graph_of_graphs_runs(store: Any) -> None:
    @graph
    def fourfold(x: int) -> Any:
        return double(double(x))

    @op
    def total(parts: list[int], start: int) -> int:
        return sum(parts, start)

    @graph_asset
    def much(raw: int) -> Any:
        return total([fourfold(raw), fourfold(fourfold(raw)), raw], raw)

    materialize([raw, much], resources={"io_manager": store})

    assert values(store)["much"] == 4 + 16 + 1 + 1


RAN: list[str] = []


@op(out={"low": Out(is_required=False), "high": Out(is_required=False)})
def split(context: OpExecutionContext, x: int) -> Iterator[Output[int]]:
    RAN.append("split:" + ",".join(sorted(context.selected_output_names)))
    for name in sorted(context.selected_output_names):
        yield Output(x if name == "low" else 10 * x, name, metadata={"from": name})


@op
def noted(context: OpExecutionContext, x: int) -> int:
    RAN.append("noted")
    context.add_output_metadata({"op": context.op.name})
    return x


@op
def apart() -> int:
    RAN.append("apart")
    return 7


@graph_multi_asset(outs={"a": AssetOut("x"), "b": AssetOut("x"), "c": AssetOut("x")}, can_subset=True)
def parts(raw: int) -> Any:
    low, high = split(raw)
    return {"a": noted(low), "b": high, "c": apart()}


@pytest.mark.semantics(17)
@pytest.mark.parametrize(
    ("selection", "ran", "made"),
    [
        ("x/a", ["split:low", "noted"], {"x/a": 1}),
        ("x/b", ["split:high"], {"x/b": 10}),
        ("x/c", ["apart"], {"x/c": 7}),
        ("x/b or x/c", ["split:high", "apart"], {"x/b": 10, "x/c": 7}),
        ('key:"x/*"', ["split:high,low", "noted", "apart"], {"x/a": 1, "x/b": 10, "x/c": 7}),
    ],
)
def test_a_subset_runs_only_the_ops_it_needs(
    selection: str, ran: list[str], made: dict[str, int], new_manager: Any, executor: Any
) -> None:
    RAN.clear()
    store = new_manager(raw=1)

    materialize([raw, parts], selection=selection, resources={"io_manager": store}, executor=executor)

    assert (RAN, values(store)) == (ran, {"raw": 1, **made})
    assert store.loaded == ["raw"] * ("split" in ran[0])


@pytest.mark.semantics(17, 23)
def test_what_an_op_says_of_its_output_is_recorded_with_the_asset(instance: Instance, store: Any) -> None:
    materialize([raw, parts], resources={"io_manager": store}, instance=instance)

    events = [instance.get_latest_materialization_event(key) for key in ("x/a", "x/b")]
    recorded = [event.asset_materialization.metadata for event in events]
    assert [{name: value.value for name, value in each.items()} for each in recorded] == [{"op": "noted"}, {"from": "high"}]


@pytest.mark.semantics(17)
def test_the_assets_of_a_graph_are_stored_in_the_order_of_their_dependencies(store: Any) -> None:
    @graph(name="g")
    def both() -> Any:
        return {"a": double.alias("first")(apart()), "b": apart.alias("second")()}

    declared = AssetsDefinition.from_graph(both, internal_asset_deps={"a": ["b"]})
    materialize([declared], resources={"io_manager": store})

    assert store.stored == ["b", "a"]


@pytest.mark.semantics(17)
def test_a_value_may_become_several_assets(store: Any) -> None:
    @graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def same() -> Any:
        made = apart()
        return {"a": made, "b": made}

    materialize([same], resources={"io_manager": store})

    assert values(store) == {"a": 7, "b": 7}


class Big:
    """A value that can be watched."""


@pytest.mark.semantics(17)
def test_a_value_is_let_go_when_no_op_needs_it_any_more(store: Any) -> None:
    made: list[weakref.ref[Big]] = []
    alive: list[int] = []

    @op
    def big(x: Any) -> Big:
        gc.collect()
        alive.append(sum(ref() is not None for ref in made))
        made.append(weakref.ref(value := Big()))
        return value

    @op
    def done(x: Big) -> int:
        return 1

    @graph_asset
    def much(raw: int) -> Any:
        return done(big(big(big(big(raw)))))

    materialize([raw, much], resources={"io_manager": store})

    assert alive == [0, 1, 1, 1]


@pytest.mark.semantics(17)
def test_an_op_without_its_input_does_not_run_and_its_asset_is_not_made(executor: Any, store: Any) -> None:
    @op(out=Out(is_required=False))
    def nothing(x: int) -> Iterator[Output[int]]:
        yield from ()

    @op
    def count(given: list[int]) -> int:
        return len(given)

    @graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def both(raw: int) -> Any:
        left_out = nothing(raw)
        return {"a": double(left_out), "b": count([left_out, raw])}

    after_a = asset(name="after_a", deps=["a"])(lambda: 1)
    after_b = asset(name="after_b", deps=["b"])(lambda: 1)
    result = materialize([raw, both, after_a, after_b], resources={"io_manager": store}, executor=executor)

    assert (values(store), result.steps("skipped")) == ({"raw": 1, "b": 1, "after_b": 1}, ["after_a"])


@pytest.mark.semantics(17)
def test_an_input_may_be_only_about_order(store: Any) -> None:
    order = []

    @op
    def first() -> None:
        order.append("first")

    @op(ins={"after": In(Nothing), "x": In(default_value=5)})
    def second(x: int) -> int:
        order.append("second")
        return x

    @graph_asset
    def made() -> Any:
        return second(after=first())

    materialize([made], resources={"io_manager": store})

    assert (order, values(store)) == (["first", "second"], {"made": 5})


@pytest.mark.semantics(17, 9)
def test_a_graph_that_ends_with_nothing_stores_nothing(store: Any) -> None:
    @op
    def act() -> None:
        pass

    result = materialize([graph_asset(name="a")(lambda: act())], resources={"io_manager": store})

    assert (store.stored, len(result.get_asset_materialization_events())) == ([], 1)


@pytest.mark.semantics(17)
def test_each_op_gets_its_input_as_its_own_annotation_asks_for(store: Any) -> None:
    @op(ins={"y": In(float)})
    def both(x: int, y: Any) -> int:
        return int(x + y)

    @graph_asset
    def much(raw: str) -> Any:
        return add(both(raw, raw), raw)

    materialize([raw, much], resources={"io_manager": store})

    assert [context.type_hint for context in store.inputs] == [int, float, int]


class Limit(Config):
    most: int
    least: int = 0


@op
def limited(context: OpExecutionContext, config: Limit) -> int:
    assert context.op_config is config
    return config.most


@graph
def inner() -> Any:
    return limited()


@graph_asset(key_prefix="x")
def configured() -> Any:
    return add(inner(), limited())


@pytest.mark.semantics(17, 18)
@pytest.mark.parametrize(
    "config",
    [
        {
            "ops": {
                "x/configured": {
                    "ops": {"limited": {"config": {"most": 2}}, "inner": {"ops": {"limited": {"config": {"most": 3}}}}}
                }
            }
        },
        RunConfig({"x__configured": RunConfig({"limited": Limit(most=2), "inner": RunConfig({"limited": {"most": 3}})})}),
        RunConfig({"x__configured": {"ops": {"limited": Limit(most=2), "inner": {"ops": {"limited": Limit(most=3)}}}}}),
    ],
    ids=["plain", "objects", "mixed"],
)
def test_the_ops_of_a_graph_are_configured_one_by_one(config: Any, store: Any) -> None:
    materialize([configured], run_config=config, resources={"io_manager": store})

    assert values(store) == {"x/configured": 5}


@pytest.mark.semantics(17, 18)
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, r"op 'inner.limited' of graph 'x__configured': missing field 'most'; op 'limited' of graph"),
        ({"ops": {"limitd": {"config": {}}}}, r"graph 'x__configured' has no op 'limitd'. Did you mean 'limited'"),
        ({"ops": {"limited": {"config": {"mst": 1}}}}, r"op 'limited' of graph 'x__configured': .*unknown field 'mst'"),
        ({"config": {"most": 1}}, "graph 'x__configured' takes no configuration itself; its ops do"),
    ],
    ids=["missing", "unknown op", "unknown field", "not of the graph"],
)
def test_a_configuration_that_fits_no_op_is_an_error_before_anything_runs(config: Any, message: str, store: Any) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        materialize([configured], run_config={"ops": {"x/configured": config}}, resources={"io_manager": store})


@pytest.mark.semantics(17, 18)
def test_ops_that_do_not_run_need_no_configuration(store: Any) -> None:
    @graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()}, can_subset=True)
    def both() -> Any:
        return {"a": limited(), "b": apart()}

    materialize([both], selection="b", resources={"io_manager": store})

    assert values(store) == {"b": 7}


@pytest.mark.semantics(18)
def test_only_a_graph_has_ops_to_configure(store: Any) -> None:
    with pytest.raises(InvalidConfigError, match="asset 'raw' is made by no graph, and has no ops to configure"):
        materialize([raw], run_config={"ops": {"raw": {"ops": {}}}}, resources={"io_manager": store})


@pytest.mark.semantics(17, 19)
def test_an_op_sees_the_resources_it_asks_for(store: Any) -> None:
    seen = []

    @op(required_resource_keys={"db"})
    def first(context: OpExecutionContext) -> int:
        seen.append((context.resources.db, list(context.resources)))
        return 1

    @op(required_resource_keys={"other"})
    def second(context: OpExecutionContext, x: int) -> int:
        seen.append((context.resources.other, list(context.resources)))
        return x

    declared = graph_asset(name="a")(lambda: second(first()))
    materialize([declared], resources={"io_manager": store, "db": "d", "other": "o"})

    assert seen == [("d", ["db"]), ("o", ["other"])]
    with pytest.raises(ResourceError, match="the resource 'other' is required by asset 'a', and is not given"):
        materialize([declared], resources={"io_manager": store, "db": "d"})


@pytest.mark.semantics(17, 20)
def test_the_context_of_an_op_is_one_of_the_run(store: Any) -> None:
    @op
    def asked(context: OpExecutionContext) -> dict[str, Any]:
        context.set_data_version("a", "v7")
        context.add_output_metadata({"said": 1}, asset_key="a")
        return {"run": context.run_id, "key": context.asset_key, "attempt": context.retry_number}

    result = materialize([graph_asset(name="a")(lambda: asked())], resources={"io_manager": store})

    [made] = result.asset_materializations_for_node("a")
    assert result.asset_value("a") == {"run": result.run_id, "key": made.asset_key, "attempt": 0}
    assert ({name: value.value for name, value in made.metadata.items()}, *made.tags.values()) == ({"said": 1}, "v7")


@pytest.mark.semantics(17)
def test_metadata_for_an_output_that_an_op_does_not_have_is_an_error(store: Any) -> None:
    @op
    def wrong(context: OpExecutionContext) -> None:
        context.add_output_metadata({"a": 1}, output_name="b")

    with pytest.raises(InvalidInvocationError, match=r"the op 'wrong' has no output 'b'; it has \['result'\]"):
        materialize([graph_asset(name="a")(lambda: wrong())], resources={"io_manager": store})


@pytest.mark.semantics(17, 29)
def test_an_error_of_an_op_is_raised_as_itself_with_the_op_and_the_asset_in_notes(executor: Any, store: Any) -> None:
    @op
    def fails(x: int) -> int:
        raise ValueError("no rows")

    declared = graph_asset(name="a")(lambda raw: fails(raw))
    with pytest.raises(ValueError, match=r"^no rows") as caught:
        materialize([raw, declared], resources={"io_manager": store}, executor=executor)

    first, second = caught.value.__notes__
    assert (first.startswith(f"in op 'fails' of 'a' ({__file__}:"), second.startswith("in asset 'a' (")) == (True, True)


@pytest.mark.semantics(17, 21)
@pytest.mark.parametrize(
    ("error", "policy", "most"),
    [
        (ValueError("again"), RetryPolicy(2), 3),
        (RetryRequested(2), None, 3),
        (Failure("no", allow_retries=False), RetryPolicy(2), 1),
        (ValueError("once"), None, 1),
    ],
    ids=["policy", "requested", "forbidden", "none"],
)
def test_an_op_runs_again_by_itself(error: Exception, policy: RetryPolicy | None, most: int, store: Any) -> None:
    attempts: list[int] = []
    before: list[int] = []

    @op
    def first() -> int:
        before.append(1)
        return 1

    @op
    def fails(context: OpExecutionContext, x: int) -> int:
        attempts.append(context.retry_number)
        raise error

    used = fails.with_retry_policy(policy) if policy is not None else fails
    declared = graph_asset(name="a")(lambda: used(first()))
    result = materialize([declared], resources={"io_manager": store}, raise_on_error=False)

    assert (attempts, before, result.success) == (list(range(most)), [1], False)


@pytest.mark.semantics(17)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: 1, "op 'two' of 'g' has 2 outputs, and one value was returned"),
        (lambda: iter_of(Output(1, "a")), "op 'two' of 'g' gave no value for its output 'b'"),
        (lambda: iter_of(Output(1, "a"), Output(1, "a")), "op 'two' of 'g' gave its output 'a' twice"),
        (lambda: iter_of(Output(1, "c")), r"op 'two' of 'g' has no output 'c'; it has \['a', 'b'\]"),
        (lambda: iter_of(3), "op 'two' of 'g' gives a value of type int as it is"),
        (lambda: MaterializeResult(), "op 'two' of 'g' gives a value of type MaterializeResult as it is"),
    ],
    ids=["one", "missing", "twice", "unknown", "plain", "result"],
)
def test_what_an_op_may_not_give(given: Any, message: str, store: Any) -> None:
    two = op(name="two", out={"a": Out(), "b": Out()})(given)

    @graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def g() -> Any:
        return two()

    with pytest.raises(InvalidOutputError, match=message):
        materialize([g], resources={"io_manager": store})


def iter_of(*items: Any) -> Iterator[Any]:
    yield from items


@pytest.mark.semantics(17)
def test_what_an_op_observes_is_recorded(store: Any) -> None:
    @op
    def looks() -> Iterator[Any]:
        yield AssetObservation("elsewhere")
        yield Output(1)

    result = materialize([graph_asset(name="a")(lambda: looks())], resources={"io_manager": store})

    kinds = [event.event_type for event in result.events if event.event_type.startswith("ASSET")]
    assert kinds == ["ASSET_OBSERVATION", "ASSET_MATERIALIZATION"]


@pytest.mark.semantics(17)
def test_an_op_makes_assets_by_itself(executor: Any, new_manager: Any) -> None:
    store = new_manager(raw=1)
    RAN.clear()
    declared = AssetsDefinition.from_op(split, keys_by_input_name={"x": "raw"}, key_prefix="p", can_subset=True)

    materialize([raw, declared], selection="p/high", resources={"io_manager": store}, executor=executor)

    assert (RAN, values(store)) == (["split:high"], {"raw": 1, "p/high": 10})


@pytest.mark.semantics(17)
def test_an_op_may_ask_for_the_context_of_an_asset(store: Any) -> None:
    @op
    def asked(context: AssetExecutionContext) -> str:
        return context.asset_key.to_user_string()

    materialize([AssetsDefinition.from_op(asked, key_prefix="p")], resources={"io_manager": store})

    assert values(store) == {"p/asked": "p/asked"}
