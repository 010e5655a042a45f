from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from warehouse_assets import (
    AssetIn,
    AssetKey,
    AssetSelection,
    Instance,
    IOManager,
    SourceAsset,
    ThreadExecutor,
    asset,
    io_manager,
    materialize,
    materialize_to_memory,
)
from warehouse_assets.errors import (
    InvalidDefinitionError,
    InvalidInvocationError,
    InvalidSelectionError,
    ResourceError,
    TableNotFoundError,
)


@asset
def orders() -> int:
    return 3


@asset(key_prefix="staging")
def lines(orders: int) -> int:
    return orders + 1


@asset
def bills(orders: int, lines: int) -> int:
    return 10 * orders + lines


SHOP = [bills, lines, orders]


@pytest.mark.semantics(27)
def test_assets_are_made_in_the_order_of_their_dependencies(executor: Any, store: Any) -> None:
    result = materialize(SHOP, resources={"io_manager": store}, executor=executor)

    assert (result.success, store.stored, result.failures) == (True, ["orders", "staging/lines", "bills"], {})
    assert result.asset_value("bills") == result.output_for_node("bills") == 34


@pytest.mark.semantics(27)
@pytest.mark.parametrize("name", ["staging__lines", "staging/lines"])
def test_a_result_knows_its_nodes_by_function_and_by_key(name: str, store: Any) -> None:
    result = materialize(SHOP, resources={"io_manager": store})

    made = result.asset_materializations_for_node(name)

    assert (result.output_for_node(name), [one.asset_key for one in made]) == (4, [AssetKey(["staging", "lines"])])


@pytest.mark.semantics(27)
def test_a_result_has_all_materializations(store: Any) -> None:
    result = materialize(SHOP, resources={"io_manager": store})

    keys = [event.asset_key for event in result.get_asset_materialization_events()]

    assert keys == [AssetKey("orders"), AssetKey(["staging", "lines"]), AssetKey("bills")]
    assert (result.get_asset_check_evaluations(), repr(result)) == ([], f"<RunResult {result.run_id}: success, 3 of 3 steps>")


@pytest.mark.semantics(27)
def test_a_name_that_is_no_node_of_the_result_is_an_error(store: Any) -> None:
    result = materialize(SHOP, resources={"io_manager": store})

    with pytest.raises(LookupError, match="no step 'bill'"):
        result.output_for_node("bill")
    with pytest.raises(LookupError, match="no output 'other'"):
        result.output_for_node("bills", "other")
    with pytest.raises(LookupError, match=r"'bill'.*Did you mean 'bills'"):
        result.asset_value("bill")


@pytest.mark.semantics(27)
def test_a_run_is_recorded(instance: Instance, store: Any) -> None:
    result = materialize(SHOP, resources={"io_manager": store}, instance=instance, tags={"why": "test"})
    run = instance.get_run_record(result.run_id)

    assert (run.status, run.tags) == ("SUCCESS", {"why": "test"})
    assert set(run.asset_keys) == {AssetKey("orders"), AssetKey(["staging", "lines"]), AssetKey("bills")}
    assert [(event.event_type, event.step_key) for event in instance.get_event_records(run_id=result.run_id)] == [
        ("RUN_START", None),
        ("STEP_START", "orders"),
        ("ASSET_MATERIALIZATION", "orders"),
        ("STEP_SUCCESS", "orders"),
        ("STEP_START", "staging/lines"),
        ("ASSET_MATERIALIZATION", "staging/lines"),
        ("STEP_SUCCESS", "staging/lines"),
        ("STEP_START", "bills"),
        ("ASSET_MATERIALIZATION", "bills"),
        ("STEP_SUCCESS", "bills"),
        ("RUN_SUCCESS", None),
    ]


@pytest.mark.semantics(27)
def test_the_latest_materialization_is_that_of_the_last_run(instance: Instance, store: Any) -> None:
    runs = [materialize([orders], resources={"io_manager": store}, instance=instance).run_id for _ in range(2)]

    event = instance.get_latest_materialization_event("orders")

    assert event is not None
    assert event.asset_materialization is not None
    assert (event.run_id, event.asset_materialization.asset_key) == (runs[1], AssetKey("orders"))


@pytest.mark.semantics(27)
@pytest.mark.parametrize(
    ("selection", "made"),
    [
        ("orders+1", ["orders", "staging/lines", "bills"]),
        ("staging/lines", ["staging/lines"]),
        (AssetSelection.keys("orders"), ["orders"]),
        ([lines, "orders"], ["orders", "staging/lines"]),
        (bills, ["bills"]),
    ],
    ids=str,
)
def test_a_selection_is_made_and_the_rest_loaded(selection: Any, made: list[str], new_manager: Any) -> None:
    store = new_manager(**{"orders": 3, "staging/lines": 4})

    materialize(SHOP, selection=selection, resources={"io_manager": store})

    assert store.stored == made


@pytest.mark.semantics(27)
def test_an_unknown_selection_is_an_error(store: Any) -> None:
    with pytest.raises(InvalidSelectionError, match=r"'order'. Did you mean 'orders'"):
        materialize(SHOP, selection="order", resources={"io_manager": store})


@pytest.mark.semantics(37)
def test_a_partition_of_an_unpartitioned_asset_is_refused(store: Any) -> None:
    with pytest.raises(InvalidInvocationError, match="no selected asset is partitioned"):
        materialize([orders], partition_key="2026-01-01", resources={"io_manager": store})


@pytest.mark.semantics(27, 29)
def test_an_error_is_raised_as_itself_with_the_asset_in_a_note(executor: Any, store: Any) -> None:
    class OutOfStock(Exception): ...

    @asset(key_prefix="shop")
    def goods() -> int:
        raise OutOfStock("none left")

    with pytest.raises(OutOfStock, match=r"^none left") as caught:
        materialize([goods], resources={"io_manager": store}, executor=executor)

    assert [
        note.startswith("in asset 'shop/goods' (") and "test_materialize.py" in note for note in caught.value.__notes__
    ] == [True]


@pytest.mark.semantics(29)
def test_a_failed_step_stops_only_what_depends_on_it(executor: Any, instance: Instance, store: Any) -> None:
    @asset
    def broken(orders: int) -> int:
        raise ValueError("broken")

    @asset
    def after(broken: int) -> int:
        raise AssertionError

    @asset(deps=[after])
    def long_after() -> int:
        raise AssertionError

    @asset
    def beside(lines: int) -> int:
        return 1

    result = materialize(
        [*SHOP, broken, after, long_after, beside],
        resources={"io_manager": store},
        instance=instance,
        raise_on_error=False,
        executor=executor,
    )
    ends = {
        event.step_key: (event.event_type, event.message)
        for event in instance.get_event_records(run_id=result.run_id, event_types=["STEP_FAILURE", "STEP_SKIPPED"])
    }

    assert (result.success, sorted(result.steps("success"))) == (False, ["beside", "bills", "orders", "staging/lines"])
    assert (result.steps("failure"), sorted(result.steps("skipped"))) == (["broken"], ["after", "long_after"])
    assert ends == {
        "broken": ("STEP_FAILURE", "ValueError: broken"),
        "after": ("STEP_SKIPPED", "skipped: broken made no table"),
        "long_after": ("STEP_SKIPPED", "skipped: broken made no table"),
    }
    assert instance.get_run_record(result.run_id).status == "FAILURE"
    assert instance.get_event_records(run_id=result.run_id)[-1].message == "1 of 7 steps failed, 2 were skipped"


@pytest.mark.semantics(29)
def test_several_errors_are_one_error_that_mentions_the_others(executor: Any, store: Any) -> None:
    @asset
    def a() -> None:
        raise ValueError("first")

    @asset
    def b() -> None:
        raise KeyError("second")

    with pytest.raises((ValueError, KeyError)) as caught:
        materialize([a, b], resources={"io_manager": store}, executor=executor)

    assert sorted(note.partition(":")[0] for note in caught.value.__notes__) in (
        [f"{one} failed too", f"in asset '{other}' ({__file__}"] for one, other in ("ab", "ba")
    )


@pytest.mark.semantics(29)
@pytest.mark.parametrize("error", [SystemExit(3), RecursionError("deep"), StopIteration("x"), GeneratorExit()], ids=repr)
def test_whatever_a_function_raises_fails_its_step(error: BaseException, executor: Any, store: Any) -> None:
    @asset
    def broken() -> int:
        raise error

    result = materialize([broken, orders], resources={"io_manager": store}, raise_on_error=False, executor=executor)

    assert (result.failures, result.steps("success")) == ({"broken": error}, ["orders"])


@pytest.mark.semantics(29)
def test_an_error_that_cannot_tell_its_message_fails_its_step_only(executor: Any, instance: Instance, store: Any) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @asset
    def broken() -> int:
        raise Mute

    result = materialize(
        [broken, orders], resources={"io_manager": store}, instance=instance, raise_on_error=False, executor=executor
    )
    (event,) = instance.get_event_records(event_types="STEP_FAILURE")

    assert (result.steps("failure"), result.steps("success")) == (["broken"], ["orders"])
    assert event.message == "Mute: (its message cannot be shown: RuntimeError)"


@pytest.mark.semantics(28)
def test_values_are_kept_in_the_folder_of_the_instance_unless_something_else_is_said(tmp_path: Any) -> None:
    with Instance.local(tmp_path) as instance:
        result = materialize(SHOP, instance=instance)

        assert result.asset_value("bills") == 34

    files = [path for path in (tmp_path / "storage").rglob("*") if path.is_file()]
    assert len(files) == 3


@pytest.mark.semantics(28)
def test_a_later_run_reads_what_an_earlier_one_stored(tmp_path: Any) -> None:
    with Instance.local(tmp_path) as instance:
        materialize([orders, lines], instance=instance)
    with Instance.local(tmp_path) as instance:
        assert materialize(SHOP, selection="bills", instance=instance).asset_value("bills") == 34


@pytest.mark.semantics(28)
def test_the_manager_is_chosen_per_run_asset_and_input(new_manager: Any) -> None:
    store, lake, web = new_manager(), new_manager(), new_manager(a=100)

    @asset
    def a() -> int:
        return 1

    @asset(io_manager_key="lake")
    def b(a: int) -> int:
        return a + 1

    @asset(ins={"a": AssetIn(input_manager_key="web", metadata={"hint": 1})}, io_manager_def=lake)
    def c(a: int, b: int) -> int:
        return a + b

    materialize([a, b, c], resources={"io_manager": store, "lake": lake, "web": web})

    assert (store.values, lake.values) == ({a.key: 1}, {b.key: 2, c.key: 102})
    assert (store.loaded, lake.loaded, web.loaded, web.inputs[0].metadata) == (["a"], ["b"], ["a"], {"hint": 1})


@pytest.mark.semantics(28)
def test_the_same_assets_run_elsewhere_by_changing_resources_only(new_manager: Any) -> None:
    production, staging = new_manager(), new_manager()

    for place in (production, staging):
        materialize(SHOP, resources={"io_manager": place})

    assert production.values == staging.values == {bills.key: 34, lines.key: 4, orders.key: 3}


@pytest.mark.semantics(28)
def test_a_manager_may_be_made_by_a_function(store: Any) -> None:
    @io_manager
    def made() -> IOManager:
        """A store."""
        return store

    materialize([orders], resources={"io_manager": made})

    assert (store.values, made.description) == ({orders.key: 3}, "A store.")


@pytest.mark.semantics(28)
def test_what_is_no_manager_is_named(store: Any) -> None:
    with pytest.raises(ResourceError, match=r"'io_manager'.* is used as an I/O manager, and is of type object"):
        materialize([orders], resources={"io_manager": object()})


@pytest.mark.semantics(27, 28)
def test_to_memory_stores_nowhere_and_loads_sources_from_their_own_managers(new_manager: Any) -> None:
    lake, shop = new_manager(), new_manager(goods=7)

    @asset(io_manager_key="lake", required_resource_keys={"rate"})
    def priced(context: Any, goods: int) -> int:
        return goods * context.resources.rate

    @asset
    def total(priced: int) -> int:
        return priced + 1

    result = materialize_to_memory(
        [priced, total, SourceAsset("goods", io_manager_key="shop")], resources={"lake": lake, "shop": shop, "rate": 2}
    )

    assert (result.asset_value("total"), lake.values, shop.loaded) == (15, {}, ["goods"])


@pytest.mark.semantics(27, 28)
def test_to_memory_loads_a_source_that_shares_its_manager_with_assets(new_manager: Any) -> None:
    shop, web = new_manager(goods=7), new_manager(goods=8)

    @asset
    def half(goods: int) -> int:
        return goods // 2

    @asset(ins={"half": AssetIn(input_manager_key="web"), "goods": AssetIn(input_manager_key="web")})
    def total(half: int, goods: int) -> int:
        return half + goods

    result = materialize_to_memory([[half, total], SourceAsset("goods")], resources={"io_manager": shop, "web": web})

    assert (result.asset_value("total"), shop.stored, shop.loaded, web.loaded) == (11, [], ["goods"], ["goods"])


@pytest.mark.semantics(14)
def test_sources_alone_make_an_empty_run() -> None:
    result = materialize([SourceAsset("a")])

    assert (result.success, result.steps()) == (True, [])


def test_one_asset_need_not_be_in_a_list(store: Any) -> None:
    assert materialize(orders, resources={"io_manager": store}).success


@pytest.mark.semantics(30)
def test_nothing_is_recorded_of_a_run_that_cannot_start(instance: Instance) -> None:
    with pytest.raises(InvalidDefinitionError):
        materialize([bills], instance=instance)
    with pytest.raises(ResourceError):
        materialize([asset(name="a", io_manager_key="lake")(lambda: 1)], instance=instance)

    assert instance.get_runs() == []


def test_an_asset_that_was_never_made_is_a_table_that_is_not_there(instance: Instance) -> None:
    result = materialize(SHOP, selection="bills", instance=instance, raise_on_error=False)

    error = result.failures["bills"]
    assert isinstance(error, TableNotFoundError)
    assert "'orders'" in str(error)


def test_independent_assets_run_at_the_same_time_in_threads(store: Any) -> None:
    together = threading.Barrier(3, timeout=30)

    def wait() -> int:
        return together.wait()

    assets = [asset(name=name)(wait) for name in "abc"]

    result = materialize(assets, resources={"io_manager": store}, executor=ThreadExecutor(3))

    assert sorted(store.values.values()) == [0, 1, 2]
    assert result.success


def test_no_more_assets_run_at_the_same_time_than_there_are_workers(store: Any) -> None:
    running: set[str] = set()
    seen: list[int] = []

    def work(context: Any) -> None:
        running.add(context.step_key)
        seen.append(len(running))
        time.sleep(0.005)
        running.discard(context.step_key)

    materialize([asset(name=f"a{i}")(work) for i in range(12)], resources={"io_manager": store}, executor=ThreadExecutor(2))

    assert max(seen) <= 2


@pytest.mark.parametrize("width", [0, -1])
def test_a_width_below_one_is_refused(width: int) -> None:
    with pytest.raises(InvalidDefinitionError, match="max_workers"):
        ThreadExecutor(width)


def test_a_chain_ten_thousand_deep_is_run(executor: Any, store: Any) -> None:
    def first() -> int:
        return 0

    def following(before: int) -> int:
        return before + 1

    chain = [asset(name="a0")(first)]
    chain += [asset(name=f"a{i}", ins={"before": AssetIn(f"a{i - 1}")})(following) for i in range(1, 10_000)]

    result = materialize(chain[::-1], resources={"io_manager": store}, executor=executor)

    assert result.asset_value("a9999") == 9_999


def test_a_failure_at_the_head_of_a_chain_ten_thousand_deep_skips_the_rest(executor: Any, store: Any) -> None:
    chain = [asset(name="a0")(lambda: 1 // 0)]
    chain += [asset(name=f"a{i}", deps=[f"a{i - 1}"])(lambda: 1) for i in range(1, 10_000)]

    result = materialize(chain, resources={"io_manager": store}, executor=executor, raise_on_error=False)

    assert (len(result.steps("skipped")), store.stored) == (9_999, [])
