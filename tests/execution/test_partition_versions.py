"""What is missing, stale or fresh of each partition, and runs of what is not fresh."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from warehouse_assets import (
    AllPartitionMapping,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Definitions,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    InputContext,
    Instance,
    IOManager,
    LastPartitionMapping,
    MultiPartitionsDefinition,
    Output,
    OutputContext,
    PartitionKeyRange,
    SourceAsset,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
)
from warehouse_assets.errors import InvalidInvocationError, PartitionNotFoundError
from warehouse_assets.events import DATA_VERSION_TAG
from warehouse_assets.graph.staleness import AssetStatus, PartitionCounts, SomePartitions, StaleCause

pytestmark = pytest.mark.semantics(25, 37)

MON, TUE, WED = "2024-01-01", "2024-01-02", "2024-01-03"
DAYS = DailyPartitionsDefinition(MON, "2024-01-04")
HOURS = HourlyPartitionsDefinition(f"{MON}-00:00", f"{WED}-00:00")
LETTERS = StaticPartitionsDefinition(["x", "y", "z"])
COUNTRIES = StaticPartitionsDefinition(["de", "fr", "us"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "letter": LETTERS})
NAMES = DynamicPartitionsDefinition("names")
BACK = TimeWindowPartitionMapping(-1, -1)
A, B = AssetKey("a"), AssetKey("b")
WHOLE_RANGE = PartitionKeyRange(MON, WED)


def up(partitions_def: Any = DAYS, code: str | None = "1") -> Any:
    @asset(partitions_def=partitions_def, code_version=code)
    def a() -> int:
        return 1

    return a


def down(partitions_def: Any = DAYS, mapping: Any = None, code: str | None = "1") -> Any:
    """Made from `a`."""

    @asset(partitions_def=partitions_def, code_version=code, ins={"a": AssetIn(partition_mapping=mapping)})
    def b(a: Any) -> int:
        return 1

    return b


def running() -> Any:
    """Each day is made from the day before; a range of them may be made at once."""

    @asset(
        partitions_def=DAYS,
        code_version="1",
        ins={"b": AssetIn(partition_mapping=BACK)},
        backfill_policy=BackfillPolicy.single_run(),
    )
    def b(b: Any, a: Any) -> int:
        return 1

    return b


class Nowhere(IOManager):
    def handle_output(self, context: OutputContext, obj: Any) -> None: ...

    def load_input(self, context: InputContext) -> int:
        return 1


class Project:
    """Assets, as they are at one time, with one record."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def definitions(self, *assets: Any) -> Definitions:
        return Definitions(list(assets), resources={"io_manager": Nowhere()})

    def make(self, *assets: Any, partitions: Any = None) -> None:
        """Make some partitions of the last of the assets, each in a run of its own; all unless they are given."""
        definitions, target = self.definitions(*assets), assets[-1]
        for partition in self.keys(target) if partitions is None else partitions:
            definitions.materialize([target.key], instance=self.instance, partition_key=partition)

    def refresh(self, *assets: Any, selection: Any = None, **options: Any) -> dict[str, list[str]]:
        """The steps of a run of what is stale, by what became of them."""
        result = self.definitions(*assets).materialize(selection, instance=self.instance, only_stale=True, **options)
        return {state: result.steps(state) for state in ("success", "fresh") if result.steps(state)}

    def status(self, *assets: Any) -> dict[str, AssetStatus]:
        found = self.definitions(*assets).status(instance=self.instance)
        return {key.to_user_string(): status for key, status in found.items()}

    def states(self, *assets: Any) -> dict[str | None, str]:
        """The state of each partition of the last of the assets."""
        definitions, key = self.definitions(*assets), assets[-1].key
        asked = {name: definitions.status([key], instance=self.instance, partition_key=name) for name in self.keys(assets[-1])}
        return {name: found[key].state for name, found in asked.items()}

    def keys(self, target: Any) -> Any:
        if target.partitions_def is None:
            return [None]
        return list(map(str, target.partitions_def.get_partition_keys(None, self.instance)))

    def report(self, kind: Any, name: str, partition: str | None = None, version: str | None = None) -> None:
        """Something else made or saw a table."""
        tags = {} if version is None else {DATA_VERSION_TAG: version}
        self.instance.report_runless_asset_event(kind(AssetKey(name), partition=partition, tags=tags))


@pytest.fixture
def project(instance: Instance) -> Project:
    return Project(instance)


def one(partition: str) -> SomePartitions:
    return SomePartitions((partition,), 1)


# the status of one asset


def test_a_partition_is_missing_until_it_is_made(project: Project) -> None:
    project.make(up(), partitions=[TUE])

    assert project.states(up()) == {MON: "missing", TUE: "fresh", WED: "missing"}
    assert project.status(up()) == {"a": AssetStatus("stale", (), PartitionCounts(missing=2, fresh=1))}


@pytest.mark.parametrize(("partitions", "state"), [([], "missing"), ([MON, TUE, WED], "fresh")], ids=["none", "all"])
def test_an_asset_of_which_no_partition_or_each_is_made(project: Project, partitions: list[str], state: str) -> None:
    project.make(up(), partitions=partitions)

    assert project.status(up())["a"].state == state


def test_partitions_that_other_code_made_are_stale(project: Project) -> None:
    project.make(up())
    project.make(up(code="2"), partitions=[WED])

    assert project.states(up(code="2")) == {MON: "stale", TUE: "stale", WED: "fresh"}
    assert project.status(up(code="2"))["a"] == AssetStatus(
        "stale",
        (StaleCause("code", A, "1", "2", partitions=one(MON), of=SomePartitions((MON, TUE), 2)),),
        PartitionCounts(stale=2, fresh=1),
    )


def test_equal_code_makes_other_data_of_each_partition_and_the_same_again(project: Project) -> None:
    def versions() -> dict[str, str]:
        latest = project.instance.event_log.get_latest_by_partition("ASSET_MATERIALIZATION", [A])[A]
        return {partition: event.data.tags[DATA_VERSION_TAG] for partition, event in latest.items()}  # type: ignore[union-attr]

    project.make(up())
    first = versions()
    project.make(up())

    assert versions() == first
    assert len(set(first.values())) == 3


# what is made from a partition that changes


@pytest.mark.parametrize(
    ("upstream", "downstream", "mapping", "changed", "stale"),
    [
        (DAYS, DAYS, None, TUE, [TUE]),
        (DAYS, DAYS, TimeWindowPartitionMapping(-1, 0, allow_nonexistent_upstream_partitions=True), TUE, [TUE, WED]),
        (HOURS, DailyPartitionsDefinition(MON, WED), None, f"{TUE}-23:00", [TUE]),
        (DAYS, HOURS, None, TUE, [f"{TUE}-{hour:02}:00" for hour in range(24)]),
        (LETTERS, DAYS, AllPartitionMapping(), "y", [MON, TUE, WED]),
        (DAYS, LETTERS, LastPartitionMapping(), WED, ["x", "y", "z"]),
        (DAYS, LETTERS, LastPartitionMapping(), TUE, []),
        (COUNTRIES, LETTERS, StaticPartitionMapping({"de": "x", "fr": ["x", "y"], "us": "z"}), "fr", ["x", "y"]),
        (BOTH, DAYS, None, f"{TUE}|y", [TUE]),
        (DAYS, BOTH, None, TUE, [f"{TUE}|x", f"{TUE}|y", f"{TUE}|z"]),
        (BOTH, BOTH, None, f"{TUE}|y", [f"{TUE}|y"]),
        (DAYS, None, None, TUE, [None]),
        (None, DAYS, None, None, [MON, TUE, WED]),
    ],
    ids=[
        "identity", "day_before_too", "hour_of_a_day", "hours_of_a_day", "all", "last", "not_the_last", "static",
        "fewer_dimensions", "more_dimensions", "multi", "whole_of_all", "partitions_of_a_whole",
    ],
)  # fmt: skip
def test_what_is_made_from_a_changed_partition_is_stale_and_nothing_else(
    project: Project, upstream: Any, downstream: Any, mapping: Any, changed: str | None, stale: list[str | None]
) -> None:
    assets = [SourceAsset("a", partitions_def=upstream), down(downstream, mapping)]
    for key in project.keys(assets[0]):
        project.report(AssetMaterialization, "a", key)
    project.make(*assets)
    before = project.states(*assets) if downstream else {None: project.status(*assets)["b"].state}
    project.report(AssetMaterialization, "a", changed)
    after = project.states(*assets) if downstream else {None: project.status(*assets)["b"].state}

    assert set(before.values()) == {"fresh"}
    assert [key for key, state in after.items() if state == "stale"] == stale


def test_the_cause_names_the_partition_that_changed_and_the_one_that_it_makes_stale(project: Project) -> None:
    source = SourceAsset("a", partitions_def=DAYS)
    for day in (MON, TUE, WED):
        project.report(AssetMaterialization, "a", day, "old")
    project.make(source, down())
    project.report(AssetMaterialization, "a", TUE, "new")

    assert project.status(source, down())["b"] == AssetStatus(
        "stale",
        (StaleCause("data", A, "old", "new", partitions=one(TUE), of=one(TUE)),),
        PartitionCounts(stale=1, fresh=2),
    )


def test_a_whole_names_the_partitions_that_came_later(project: Project) -> None:
    assets = [SourceAsset("a", partitions_def=DAYS), down(None)]
    for day in (MON, TUE, WED):
        project.report(AssetMaterialization, "a", day)
    project.make(*assets)
    for day in (WED, MON):
        project.report(AssetMaterialization, "a", day)
    (cause,) = project.status(*assets)["b"].causes

    assert (cause.kind, cause.key, cause.partitions, cause.of) == ("data", A, SomePartitions((WED, MON), 2), None)


def test_what_is_upstream_missing_or_stale_is_told_of_the_partitions_that_need_it(project: Project) -> None:
    project.make(up())
    project.make(up(), down())
    project.make(up(code="2"), partitions=[WED])
    definitions = project.definitions(up(code="2"), down())
    root = StaleCause("code", A, "1", "2", partitions=one(MON))

    found = {day: definitions.status(instance=project.instance, partition_key=day)[B] for day in (MON, WED)}

    assert found[MON] == AssetStatus("stale", (StaleCause("upstream", A, root=root, partitions=one(MON)),))
    assert [cause.kind for cause in found[WED].causes] == ["data"]


def test_what_is_made_from_a_missing_partition_is_stale(project: Project) -> None:
    whole = down(None)
    project.make(up(), partitions=[MON, TUE])
    project.make(up(), whole)

    assert project.status(up(), whole)["b"].causes == (StaleCause("upstream", A, partitions=one(WED)),)


def test_an_observation_of_one_partition_and_one_of_the_whole_source(project: Project) -> None:
    assets = [SourceAsset("a", partitions_def=DAYS), down()]
    project.report(AssetObservation, "a", None, "1")
    project.make(*assets)
    project.report(AssetObservation, "a", TUE, "2")
    of_one = project.states(*assets)
    project.report(AssetMaterialization, "a")

    assert of_one == {MON: "fresh", TUE: "stale", WED: "fresh"}
    assert project.states(*assets) == dict.fromkeys((MON, TUE, WED), "stale")


def test_an_observation_without_a_version_changes_nothing(project: Project) -> None:
    assets = [SourceAsset("a", partitions_def=DAYS), down()]
    project.report(AssetObservation, "a", TUE, "1")
    project.make(*assets)
    project.report(AssetObservation, "a", TUE)

    assert set(project.states(*assets).values()) == {"fresh"}


# tables that are made from themselves


@pytest.mark.semantics(8)
def test_a_changed_partition_makes_all_later_ones_of_a_running_total_stale(project: Project) -> None:
    project.make(up())
    project.make(up(), running())
    before = project.states(up(), running())
    project.make(up(code="2"), partitions=[MON, TUE, WED])
    project.make(up(code="2"), running(), partitions=[MON])

    assert set(before.values()) == {"fresh"}
    assert project.states(up(code="2"), running()) == {MON: "fresh", TUE: "stale", WED: "stale"}


@pytest.mark.semantics(8, 26)
def test_a_range_made_at_once_is_as_fresh_as_one_made_day_by_day(project: Project) -> None:
    project.make(up())
    first = project.refresh(up(), running(), selection="b", partition_key_range=WHOLE_RANGE)

    assert first == {"success": ["b"]}
    assert set(project.states(up(), running()).values()) == {"fresh"}
    assert project.refresh(up(), running(), partition_key_range=WHOLE_RANGE) == {}


# partitions that come and go


def test_a_dynamic_partition_that_is_added_is_missing_and_one_that_is_deleted_is_forgotten(project: Project) -> None:
    names = up(NAMES)
    nothing_yet = project.status(names)["a"]
    project.instance.add_dynamic_partitions("names", ["ann", "it's"])
    project.make(names)
    project.instance.add_dynamic_partitions("names", ["cid"])
    project.instance.delete_dynamic_partition("names", "ann")

    assert nothing_yet == AssetStatus("missing", (), PartitionCounts())
    assert project.states(names) == {"it's": "fresh", "cid": "missing"}
    assert project.status(names)["a"].partitions == PartitionCounts(missing=1, fresh=1)


def test_a_new_partition_makes_a_table_made_from_all_of_them_stale(project: Project) -> None:
    whole = down(None)
    project.instance.add_dynamic_partitions("names", ["ann"])
    project.make(up(NAMES))
    project.make(up(NAMES), whole)
    project.instance.add_dynamic_partitions("names", ["bob"])

    assert project.status(up(NAMES), whole)["b"].causes == (StaleCause("upstream", A, partitions=one("bob")),)


def test_a_table_that_is_partitioned_later_is_missing_in_all_its_partitions(project: Project) -> None:
    project.make(up(None))

    assert set(project.states(up()).values()) == {"missing"}


# the question


def test_of_one_partition_those_assets_are_told_that_have_it(project: Project) -> None:
    definitions = project.definitions(
        up(), asset(name="letters", partitions_def=LETTERS)(lambda: 1), asset(name="c")(lambda: 1)
    )

    found = definitions.status(instance=project.instance, partition_key=MON)

    assert [key.to_user_string() for key in found] == ["a", "c"]


@pytest.mark.parametrize(
    ("selection", "error", "what"),
    [
        ("a", PartitionNotFoundError, "there is no partition '2024-01-09'"),
        ("c", InvalidInvocationError, "partition_key is '2024-01-09', and no selected asset is partitioned"),
    ],
    ids=["not_there", "not_partitioned"],
)
def test_a_partition_that_no_asset_has_is_an_error(project: Project, selection: str, error: Any, what: str) -> None:
    definitions = project.definitions(up(), asset(name="c")(lambda: 1))

    with pytest.raises(error, match=what):
        definitions.status(selection, instance=project.instance, partition_key="2024-01-09")


def test_ten_thousand_partitions_are_judged_in_a_few_queries(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = HourlyPartitionsDefinition("2023-01-01-00:00", "2024-02-21-16:00")
    keys = hours.get_partition_keys()
    total = asset(name="c", partitions_def=hours, deps=["a", "b"], ins={"c": AssetIn(partition_mapping=BACK)})(lambda c: 1)
    assets = [up(hours), down(hours, AllPartitionMapping()), total]
    project.refresh(up(hours), partition_key_range=PartitionKeyRange(keys[0], keys[-1]))
    asked: list[Any] = []
    log = project.instance.event_log
    latest = log.get_latest_by_partition
    monkeypatch.setattr(log, "get_latest_by_partition", lambda *about: asked.append(about) or latest(*about))

    found = project.status(*assets)

    assert {name: status.partitions for name, status in found.items()} == {
        "a": PartitionCounts(fresh=10_000),
        "b": PartitionCounts(missing=10_000),
        "c": PartitionCounts(missing=10_000),
    }
    assert len(asked) == 1


# runs of what is stale


@pytest.mark.semantics(26)
def test_a_run_makes_the_partition_it_is_given_only_if_that_is_not_fresh(project: Project) -> None:
    project.make(up(), partitions=[MON])

    assert [project.refresh(up(), partition_key=day) for day in (MON, TUE, TUE)] == [{}, {"success": ["a"]}, {}]
    assert project.states(up()) == {MON: "fresh", TUE: "fresh", WED: "missing"}


@pytest.mark.semantics(26)
def test_a_run_makes_what_follows_from_a_partition_that_came_out_otherwise(project: Project) -> None:
    def given(version: str, code: str) -> Any:
        return asset(name="a", partitions_def=DAYS, code_version=code)(lambda: Output(1, data_version=version))

    project.refresh(given("x", "1"), down(), partition_key=MON)
    same = project.refresh(given("x", "2"), down(), partition_key=MON)
    other = project.refresh(given("y", "3"), down(), partition_key=MON)

    assert [same, other] == [{"success": ["a"], "fresh": ["b"]}, {"success": ["a", "b"]}]


@pytest.mark.semantics(26)
def test_a_range_is_made_where_one_of_its_partitions_is_not_fresh(project: Project) -> None:
    project.make(up(), partitions=[MON, TUE])

    fresh = project.refresh(up(), partition_key_range=PartitionKeyRange(MON, TUE))
    with_a_missing_one = project.refresh(up(), partition_key_range=WHOLE_RANGE)

    assert [fresh, with_a_missing_one] == [{}, {"success": ["a"]}]


@pytest.mark.semantics(26)
@pytest.mark.parametrize(
    ("fresh", "made"),
    [([MON], [TUE, WED]), ([WED], [MON, TUE]), ([MON, WED], [TUE]), ([TUE], [MON, TUE, WED]), ([], [MON, TUE, WED])],
    ids=["first", "last", "ends", "middle", "none"],
)
def test_of_a_range_the_partitions_from_the_first_to_the_last_that_is_stale_are_made(
    project: Project, fresh: list[str], made: list[str]
) -> None:
    seen = []

    @asset(partitions_def=DAYS, code_version="1")
    def a(context: AssetExecutionContext) -> int:
        window = context.partition_time_window
        seen.append((list(context.partition_keys), window.end - window.start))
        return 1

    project.make(a, partitions=fresh)
    seen.clear()
    result = project.refresh(a, down(), partition_key_range=WHOLE_RANGE)

    assert result == {"success": ["a", "b"]}
    assert seen == [(made, timedelta(days=len(made)))]
    assert set(project.states(a, down()).values()) == {"fresh"}


@pytest.mark.semantics(26)
def test_each_asset_of_a_run_is_made_where_it_is_stale(project: Project) -> None:
    seen = {}

    def noted(name: str, *parents: str) -> Any:
        @asset(name=name, partitions_def=DAYS, code_version="1", deps=parents)
        def made(context: AssetExecutionContext) -> int:
            seen[name] = list(context.partition_keys)
            return 1

        return made

    first, second = noted("a"), noted("b", "a")
    project.make(first, partitions=[MON, TUE])
    project.make(first, second, partitions=[MON])
    project.report(AssetMaterialization, "a", TUE, "changed")
    seen.clear()
    project.refresh(first, second, partition_key_range=WHOLE_RANGE)

    assert seen == {"a": [WED], "b": [TUE, WED]}


@pytest.mark.semantics(26)
def test_a_range_of_days_made_from_the_days_before_is_made_whole(project: Project) -> None:
    project.make(up(), running(), partitions=[MON])
    project.refresh(up(), partition_key_range=WHOLE_RANGE)
    result = project.refresh(up(), running(), selection="b", partition_key_range=WHOLE_RANGE)

    assert result == {"success": ["b"]}
    assert set(project.states(up(), running()).values()) == {"fresh"}


@pytest.mark.semantics(26)
def test_beside_a_whole_table_only_what_changed_is_made(project: Project) -> None:
    rates = asset(name="rates", code_version="1")(lambda: 1)
    billed = asset(name="billed", partitions_def=DAYS, code_version="1", deps=["rates", "a"])(lambda: 1)
    first = project.refresh(rates, up(), billed, partition_key=MON)
    changed = asset(name="rates", code_version="2")(lambda: 1)
    again = project.refresh(changed, up(), billed, partition_key=MON)

    assert [sorted(first["success"]), again] == [["a", "billed", "rates"], {"success": ["rates", "billed"]}]


@pytest.mark.semantics(26)
def test_a_run_of_what_is_stale_needs_to_know_the_partition(project: Project) -> None:
    with pytest.raises(InvalidInvocationError, match="no partition is given"):
        project.refresh(up())
