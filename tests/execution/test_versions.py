"""Versions of code and data as runs record them, and runs of what is not fresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from io_managers import DuckDBIOManager
from warehouse_assets import (
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetOut,
    Definitions,
    Instance,
    MaterializeResult,
    Output,
    RunResult,
    SourceAsset,
    StaticPartitionsDefinition,
    asset,
    graph_asset,
    materialize,
    multi_asset,
    op,
)
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG


def tags(result: RunResult, name: str) -> dict[str, str]:
    made = next(
        event.asset_materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == AssetKey.coerce(name)
    )
    assert made is not None
    return dict(made.tags)


def data_version(result: RunResult, name: str) -> str:
    return tags(result, name)[DATA_VERSION_TAG]


@pytest.fixture
def run(instance: Instance, store: Any) -> Callable[..., RunResult]:
    """Materializes with one instance and store."""

    def materialized(*assets: Any, **options: Any) -> RunResult:
        return materialize(list(assets), instance=instance, resources={"io_manager": store}, **options)

    return materialized


def numbers(code: str | None = "1", version: str | None = None) -> Any:
    @asset(name="numbers", code_version=code)
    def made() -> Any:
        return Output([1, 2], data_version=version)

    return made


@asset(code_version="1")
def doubled(numbers: Any) -> Any:
    return [2 * number for number in numbers]


@asset(code_version="1", deps=[doubled])
def reported() -> None: ...


@asset(code_version="1")
def summed(doubled: Any) -> Any:
    return sum(doubled)


# what is recorded


@pytest.mark.semantics(25)
def test_the_versions_of_code_data_and_inputs_are_tags(run: Any) -> None:
    result = run(numbers(version="v1"), doubled)

    assert tags(result, "doubled") == {
        CODE_VERSION_TAG: "1",
        DATA_VERSION_TAG: data_version(result, "doubled"),
        f"{INPUT_DATA_VERSION_TAG}numbers": "v1",
    }


@pytest.mark.semantics(25)
def test_the_version_of_data_follows_from_code_and_inputs(run: Any) -> None:
    first, again = run(numbers(), doubled), run(numbers(), doubled)
    other_input, other_code = (
        run(numbers("2"), doubled),
        run(numbers(), asset(name="doubled", code_version="2")(doubled.function.fn)),
    )

    versions = [data_version(result, "doubled") for result in (first, again, other_input, other_code)]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


@pytest.mark.semantics(25)
def test_without_a_code_version_every_run_makes_new_data(run: Any) -> None:
    first, second = run(numbers(None), doubled), run(numbers(None), doubled)

    assert data_version(first, "numbers") != data_version(second, "numbers")
    assert data_version(first, "doubled") != data_version(second, "doubled")


def set_on_the_context(context: Any) -> Any:
    context.set_data_version("a", "v7")
    return 1


def on_a_result_without_a_value() -> Any:
    return MaterializeResult(data_version="v7")


def on_a_yielded_output() -> Iterator[Any]:
    yield Output(1, data_version="v7")


@pytest.mark.semantics(25)
@pytest.mark.parametrize(
    "fn", [set_on_the_context, on_a_result_without_a_value, on_a_yielded_output], ids=lambda fn: fn.__name__
)
def test_a_version_that_is_given_is_taken(run: Any, fn: Any) -> None:
    assert data_version(run(asset(name="a", code_version="1")(fn)), "a") == "v7"


@pytest.mark.semantics(25)
def test_inputs_that_other_runs_made_are_read_before_the_run_in_two_queries(
    run: Any, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run(numbers(), doubled)
    asked: list[Any] = []
    original = instance.event_log.get_latest
    monkeypatch.setattr(
        instance.event_log, "get_latest", lambda kind, keys, *rest: asked.append(kind) or original(kind, keys, *rest)
    )
    result = run(numbers(), doubled, summed, reported, selection="summed or reported")

    expected = data_version(made, "doubled")
    assert {tags(result, name)[f"{INPUT_DATA_VERSION_TAG}doubled"] for name in ("summed", "reported")} == {expected}
    assert asked == ["ASSET_MATERIALIZATION"]


@pytest.mark.semantics(25)
def test_sources_have_the_version_that_was_last_observed(run: Any, instance: Instance, store: Any) -> None:
    raw = SourceAsset("raw")
    store.values[AssetKey("raw")] = 1
    used = asset(name="used")(lambda raw: raw)

    def version_now() -> str:
        return tags(run(raw, used), "used")[f"{INPUT_DATA_VERSION_TAG}raw"]

    versions = [version_now()]
    for event in (
        AssetObservation(AssetKey("raw"), tags={DATA_VERSION_TAG: "o1"}),
        AssetObservation(AssetKey("raw"), metadata={"rows": 1}),  # says nothing of a version
        AssetMaterialization(AssetKey("raw"), tags={DATA_VERSION_TAG: "m1"}),
        AssetMaterialization(AssetKey("raw")),
    ):
        instance.report_runless_asset_event(event)
        versions.append(version_now())

    assert versions[:4] == ["INITIAL", "o1", "o1", "m1"]
    assert versions[4].startswith("event ")


@pytest.mark.semantics(25)
def test_outputs_of_one_function_depend_on_each_other_by_version(run: Any) -> None:
    @multi_asset(
        outs={"a": AssetOut(code_version="1"), "b": AssetOut(code_version="2")}, internal_asset_deps={"a": [], "b": ["a"]}
    )
    def both() -> Any:
        return 1, 2

    result = run(both)

    assert tags(result, "b")[f"{INPUT_DATA_VERSION_TAG}a"] == data_version(result, "a")
    assert tags(result, "b")[CODE_VERSION_TAG] == "2"


# runs of what is not fresh


def steps(result: RunResult) -> dict[str, list[str]]:
    assert result.success
    return {status: result.steps(status) for status in ("success", "fresh") if result.steps(status)}


@pytest.mark.semantics(26)
def test_nothing_stale_is_a_success_without_steps(run: Any, store: Any) -> None:
    run(numbers(), doubled, reported)
    stored = list(store.stored)
    result = run(numbers(), doubled, reported, only_stale=True)

    assert (steps(result), result.steps(), store.stored) == ({}, [], stored)


@pytest.mark.semantics(26)
def test_what_is_missing_and_what_follows_is_made(run: Any) -> None:
    run(numbers(), doubled)

    assert steps(run(numbers(), doubled, summed, reported, only_stale=True)) == {"success": ["summed", "reported"]}


@pytest.mark.semantics(26)
def test_changed_code_leads_to_changed_data_downstream(run: Any, executor: Any) -> None:
    run(numbers(), doubled, summed)

    assert steps(run(numbers("2"), doubled, summed, only_stale=True, executor=executor)) == {
        "success": ["numbers", "doubled", "summed"]
    }


@pytest.mark.semantics(26)
def test_what_comes_out_the_same_ends_the_work(run: Any, instance: Instance, executor: Any) -> None:
    run(numbers("1", "same"), doubled, summed, reported)
    result = run(numbers("2", "same"), doubled, summed, reported, only_stale=True, executor=executor)

    assert steps(result) == {"success": ["numbers"], "fresh": ["doubled", "summed", "reported"]}
    assert [event.step_key for event in instance.get_event_records(event_types="STEP_UP_TO_DATE")] == [
        "doubled",
        "summed",
        "reported",
    ] or executor.__class__.__name__ == "ThreadExecutor"
    assert steps(run(numbers("2", "same"), doubled, summed, reported, only_stale=True)) == {}


@pytest.mark.semantics(26)
def test_unversioned_assets_are_made_again_only_when_their_inputs_changed(run: Any) -> None:
    plain = asset(name="doubled")(doubled.function.fn)
    run(numbers(), plain)

    assert steps(run(numbers(), plain, only_stale=True)) == {}
    assert steps(run(numbers("2"), plain, only_stale=True)) == {"success": ["numbers", "doubled"]}


@pytest.mark.semantics(26)
def test_a_source_that_was_observed_anew(run: Any, instance: Instance, store: Any) -> None:
    raw, used = SourceAsset("raw"), asset(name="used")(lambda raw: raw)
    store.values[AssetKey("raw")] = 1
    run(raw, used)
    instance.report_runless_asset_event(AssetObservation(AssetKey("raw"), tags={DATA_VERSION_TAG: "2"}))

    assert steps(run(raw, used, only_stale=True)) == {"success": ["used"]}
    assert steps(run(raw, used, only_stale=True)) == {}


@pytest.mark.semantics(26)
def test_a_failed_asset_is_still_to_be_made(run: Any) -> None:
    run(numbers(), doubled, summed)
    broken = asset(name="doubled", code_version="2")(lambda numbers: 1 / 0)
    failed = run(numbers(), broken, summed, only_stale=True, raise_on_error=False)
    mended = asset(name="doubled", code_version="2")(doubled.function.fn)

    assert (failed.steps("failure"), failed.steps("skipped")) == (["doubled"], ["summed"])
    assert steps(run(numbers(), mended, summed, only_stale=True)) == {"success": ["doubled", "summed"]}


@pytest.mark.semantics(26)
def test_only_what_is_selected_is_made(run: Any) -> None:
    run(numbers(), doubled, summed)

    assert steps(run(numbers("2"), doubled, summed, only_stale=True, selection="doubled+")) == {}
    assert steps(run(numbers("2"), doubled, summed, only_stale=True, selection="numbers")) == {"success": ["numbers"]}
    assert steps(run(numbers("2"), doubled, summed, only_stale=True, selection="doubled+")) == {
        "success": ["doubled", "summed"]
    }


@pytest.mark.semantics(26)
def test_a_function_of_several_assets_runs_as_a_whole_unless_it_can_run_in_part(run: Any) -> None:
    def both(can_subset: bool, second: str) -> Any:
        @multi_asset(
            outs={"a": AssetOut(code_version="1", is_required=False), "b": AssetOut(code_version=second, is_required=False)},
            internal_asset_deps={"a": [], "b": []},
            can_subset=can_subset,
        )
        def made(context: Any) -> Any:
            for name in context.selected_output_names:
                yield Output(1, name)

        return made

    def made_by(result: RunResult) -> list[str]:
        return sorted(event.asset_key.to_user_string() for event in result.get_asset_materialization_events())

    run(both(True, "1"))

    assert made_by(run(both(True, "2"), only_stale=True)) == ["b"]
    assert made_by(run(both(False, "3"), only_stale=True)) == ["a", "b"]


# versions that are worked out


@pytest.mark.semantics(25)
def test_the_code_version_auto_is_worked_out_and_given_to_the_manager(run: Any, store: Any) -> None:
    @asset(code_version="auto")
    def a() -> Any:
        return 1

    version = tags(run(a), "a")[CODE_VERSION_TAG]

    assert (len(version), store.outputs[0].version) == (16, version)
    assert steps(run(a, only_stale=True)) == {}


@pytest.mark.semantics(25)
def test_versions_for_all_assets_of_a_project(instance: Instance, store: Any) -> None:
    @asset
    def a() -> Any:
        return 1

    @asset(code_version="7")
    def b(a: Any) -> Any:
        return a

    @op
    def work() -> Any:
        return 3

    @graph_asset
    def c() -> Any:
        return work()

    defs = Definitions(
        [a, [b, a], c, SourceAsset("raw")], resources={"io_manager": store}, code_version="auto", data_version="content"
    )
    merged = Definitions.merge(defs, Definitions([asset(name="d")(lambda: 1)]))
    result = defs.materialize(instance=instance)

    assert defs.graph[AssetKey("a")].spec.data_version == "content"
    assert [len(tags(result, name)[CODE_VERSION_TAG]) for name in "abc"] == [16, 1, 16]
    assert {key.path[0]: status.state for key, status in merged.status(instance=instance).items()} == {
        "a": "fresh",
        "b": "fresh",
        "c": "fresh",
        "d": "missing",
    }
    assert steps(defs.materialize(instance=instance, only_stale=True)) == {}


@pytest.mark.semantics(25)
@pytest.mark.semantics(26)
def test_an_upstream_that_was_rebuilt_with_equal_content_leaves_downstream_fresh(instance: Instance) -> None:
    def upstream(code: str, rows: list[int]) -> Any:
        @asset(name="numbers", code_version=code, data_version="content")
        def made() -> pl.DataFrame:
            return pl.DataFrame({"n": rows})

        return made

    @asset
    def total(numbers: pl.DataFrame) -> pl.DataFrame:
        return numbers.sum()

    resources = {"io_manager": DuckDBIOManager(database=":memory:")}

    def refreshed(code: str, rows: list[int]) -> dict[str, list[str]]:
        return steps(materialize([upstream(code, rows), total], instance=instance, resources=resources, only_stale=True))

    assert refreshed("1", [1, 2, 2]) == {"success": ["numbers", "total"]}
    assert refreshed("2", [2, 1, 2]) == {"success": ["numbers"], "fresh": ["total"]}
    assert refreshed("3", [2, 1, 1]) == {"success": ["numbers", "total"]}


@pytest.mark.parametrize(
    "declare",
    [lambda version: asset(name="a", data_version=version)(lambda: 1), lambda version: Definitions(data_version=version)],
    ids=["asset", "definitions"],
)
def test_a_data_version_that_is_not_content_is_a_fault(declare: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"the data_version 'v1' is not allowed.*Output\(value, data_version=…\)"):
        declare("v1")


# partitions


@pytest.mark.semantics(26)
def test_partitions_are_made_as_asked_and_what_is_made_from_them_only_if_they_changed(run: Any) -> None:
    @asset(partitions_def=StaticPartitionsDefinition(["a", "b"]), code_version="1")
    def parts(context: Any) -> Any:
        return Output(1, data_version="same")

    @asset
    def whole(parts: Any) -> Any:
        return 1

    for partition in "ab":
        run(parts, whole, partition_key=partition)
    changed = asset(name="parts", partitions_def=parts.partitions_def, code_version="2")(parts.function.fn)
    again = run(changed, whole, partition_key="b", only_stale=True)

    assert steps(again) == {"success": ["parts"], "fresh": ["whole"]}
    assert [event.partition for event in again.get_asset_materialization_events()] == ["b"]
