"""What is missing, stale or fresh, and why."""

from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import AssetKey, AssetMaterialization, AssetOut, SourceAsset, asset, multi_asset
from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG, Event
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.partition_links import PartitionLinks
from warehouse_assets.graph.staleness import AssetStatus, StaleCause, keys_to_run, overall_status, partition_statuses
from warehouse_assets.graph.versions import LatestVersions, Recorded

pytestmark = pytest.mark.semantics(25)

FRESH = AssetStatus("fresh")


def key(name: str) -> AssetKey:
    return AssetKey.coerce(name)


def made(name: str, *deps: str, code: str | None = None) -> Any:
    return asset(key=name, deps=deps, code_version=code)(_nothing)


def _nothing() -> None: ...


def recorded(version: str, code: str | None = None, **inputs: str) -> Recorded:
    return Recorded(version, code, {key(name): value for name, value in inputs.items()}, 1)


def asset_statuses(graph: AssetGraph, latest: dict[AssetKey, Recorded]) -> dict[AssetKey, AssetStatus]:
    links = PartitionLinks(graph)
    recorded = LatestVersions({asset_key: {None: value} for asset_key, value in latest.items()})
    found = partition_statuses(graph, recorded, links, {asset_key: links.partitions(asset_key) for asset_key in graph.nodes})
    return {asset_key: overall_status(partitions) for asset_key, partitions in found.items()}


def is_own(status: AssetStatus) -> bool:
    """Whether making the asset again, and nothing else, would help."""
    return status.state == "missing" or any(cause.kind != "upstream" for cause in status.causes)


def statuses(assets: list[Any], **latest: Recorded) -> dict[str, AssetStatus]:
    found = asset_statuses(AssetGraph.build(assets), {key(name): value for name, value in latest.items()})
    return {asset_key.to_user_string(): status for asset_key, status in found.items()}


def test_what_was_never_made_is_missing_and_what_is_made_from_it_stale() -> None:
    assert statuses([made("a"), made("b", "a")], b=recorded("1", a="INITIAL")) == {
        "a": AssetStatus("missing"),
        "b": AssetStatus("stale", (StaleCause("upstream", key("a")),)),
    }


def test_what_is_as_it_was_is_fresh() -> None:
    assets = [made("a", code="1"), made("b", "a", code="2")]

    assert statuses(assets, a=recorded("x", "1"), b=recorded("y", "2", a="x")) == {"a": FRESH, "b": FRESH}


def test_changed_code() -> None:
    assert statuses([made("a", code="2")], a=recorded("x", "1")) == {
        "a": AssetStatus("stale", (StaleCause("code", key("a"), "1", "2"),))
    }


@pytest.mark.parametrize(("then", "now", "is_stale"), [(None, "1", True), ("1", None, False), (None, None, False)])
def test_a_version_that_is_given_or_given_up(then: str | None, now: str | None, is_stale: bool) -> None:
    found = statuses([made("a", code=now)], a=recorded("x", then))

    assert (found["a"].state == "stale") is is_stale


def test_changed_data() -> None:
    found = statuses([SourceAsset("raw"), made("a", "raw")], raw=recorded("new"), a=recorded("x", raw="old"))

    assert found == {"a": AssetStatus("stale", (StaleCause("data", key("raw"), "old", "new"),))}


def test_the_same_data_made_again_changes_nothing() -> None:
    later = Recorded("x", "1", {}, 99)

    assert statuses([made("a", code="1"), made("b", "a")], a=later, b=recorded("y", a="x")) == {"a": FRESH, "b": FRESH}


def test_dependencies_that_came_and_went() -> None:
    assets = [made("a"), made("b"), made("c", "b")]
    found = statuses(assets, a=recorded("1"), b=recorded("2"), c=recorded("3", a="1"))

    assert found["c"].causes == (
        StaleCause("dependency added", key("b"), None, "2"),
        StaleCause("dependency removed", key("a"), "1", None),
    )


def test_what_is_downstream_of_a_stale_asset_is_stale_and_tells_the_root() -> None:
    assets = [made("a", code="2"), made("b", "a"), made("c", "b")]
    found = statuses(assets, a=recorded("x", "1"), b=recorded("y", a="x"), c=recorded("z", b="y"))

    root = StaleCause("code", key("a"), "1", "2")
    assert [found["b"].causes, found["c"].causes] == [
        (StaleCause("upstream", key("a"), root=root),),
        (StaleCause("upstream", key("b"), root=root),),
    ]
    assert [is_own(found[name]) for name in "abc"] == [True, False, False]


def test_a_table_that_something_else_made_is_stale_when_its_inputs_came_later() -> None:
    assets = [SourceAsset("raw"), made("a", "raw", code="1"), made("b", "raw")]
    foreign = Recorded("event 5", None, None, 5)

    found = statuses(assets, raw=Recorded("event 7", None, None, 7), a=foreign, b=Recorded("event 9", None, None, 9))

    assert found == {"a": AssetStatus("stale", (StaleCause("data", key("raw"), None, "event 7"),)), "b": FRESH}


def test_outputs_of_one_function_have_versions_of_their_own() -> None:
    @multi_asset(
        outs={"a": AssetOut(code_version="1"), "b": AssetOut(code_version="2")}, internal_asset_deps={"a": [], "b": ["a"]}
    )
    def both() -> None: ...

    found = statuses([both], a=recorded("x", "1"), b=recorded("y", "1", a="x"))

    assert found == {"a": FRESH, "b": AssetStatus("stale", (StaleCause("code", key("b"), "1", "2"),))}


def test_versions_are_read_from_the_tags_of_an_event() -> None:
    odd = AssetKey(["a/b", "c\\"])
    tags = {CODE_VERSION_TAG: "1", DATA_VERSION_TAG: "x", f"{INPUT_DATA_VERSION_TAG}{odd.to_escaped_string()}": "y"}
    of_a_run = Event("ASSET_MATERIALIZATION", "run", 0.0, data=AssetMaterialization(key("t"), tags=tags), storage_id=3)
    of_none = Event("ASSET_MATERIALIZATION", "", 0.0, data=AssetMaterialization(key("t"), tags=tags), storage_id=3)
    plain = Event("ASSET_MATERIALIZATION", "run", 0.0, data=AssetMaterialization(key("t")), storage_id=3)

    assert [Recorded.of(event) for event in (of_a_run, of_none, plain)] == [
        Recorded("x", "1", {odd: "y"}, 3),
        Recorded("x", "1", None, 3),
        Recorded("event 3", None, None, 3),
    ]


def run_of(assets: list[Any], selected: str, **latest: Recorded) -> list[str]:
    graph = AssetGraph.build(assets)
    found = asset_statuses(graph, {key(name): value for name, value in latest.items()})
    own = [asset_key for asset_key, status in found.items() if is_own(status)]
    return sorted(wanted.to_user_string() for wanted in keys_to_run(graph, [key(name) for name in selected], own))


@pytest.mark.semantics(26)
def test_a_run_of_what_is_stale_holds_what_may_follow_from_it_and_nothing_else() -> None:
    assets = [made("a"), made("b", "a", code="2"), made("c", "b"), made("d", "c"), made("e", "a")]
    latest = {
        "a": recorded("1"),
        "b": recorded("2", "1", a="1"),
        "c": recorded("3", b="2"),
        "d": recorded("4", c="3"),
        "e": recorded("5", a="1"),
    }

    assert run_of(assets, "abcde", **latest) == ["b", "c", "d"]
    assert run_of(assets, "cd", **latest) == []  # making them again would change nothing
    assert run_of(assets, "abd", **latest) == ["b"]


@pytest.mark.semantics(26)
def test_a_definition_that_makes_all_or_none_is_there_as_a_whole() -> None:
    @multi_asset(outs={"a": AssetOut(), "b": AssetOut()}, internal_asset_deps={"a": [], "b": []})
    def both() -> None: ...

    @multi_asset(outs={"c": AssetOut(), "d": AssetOut()}, internal_asset_deps={"c": [], "d": []}, can_subset=True)
    def either() -> None: ...

    found = run_of([both, either, made("e", "b")], "abcde", a=recorded("1"), c=recorded("3"), e=recorded("5", b="2"))

    assert found == ["a", "b", "d", "e"]


def test_a_long_chain_takes_linear_time_and_no_recursion() -> None:
    names = [f"a{index}" for index in range(10_000)]
    assets = [made(name, *names[max(0, index - 1) : index]) for index, name in enumerate(names)]
    latest = {
        name: recorded("1", **{names[index - 1]: "1"}) if index else recorded("1", "0") for index, name in enumerate(names)
    }
    graph = AssetGraph.build([made(names[0], code="1"), *assets[1:]])

    found = asset_statuses(graph, {key(name): value for name, value in latest.items()})

    assert found[key("a9999")].causes[0].root == StaleCause("code", key("a0"), "0", "1")
    assert len(keys_to_run(graph, [key(name) for name in names], [key("a0")])) == 10_000
