from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    AssetKey,
    AssetSelection,
    AssetSpec,
    Config,
    Definitions,
    Instance,
    RunConfig,
    StaticPartitionsDefinition,
    ThreadExecutor,
    asset,
    define_asset_job,
    multi_asset,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, InvalidSelectionError

pytestmark = pytest.mark.semantics(31)


class Size(Config):
    rows: int = 1
    name: str = "plain"


@asset(group_name="raw")
def orders(config: Size) -> tuple[int, str]:
    return config.rows, config.name


@asset(group_name="marts")
def totals(orders: Any, config: Size) -> list[Any]:
    return [orders, config.rows]


@asset(group_name="marts", required_resource_keys={"mailer"})
def letters(context: AssetExecutionContext, totals: Any) -> str:
    return str(context.resources.mailer)


def definitions(*jobs: Any, **options: Any) -> Definitions:
    return Definitions([orders, totals, letters], jobs=jobs, resources={"mailer": "post"}, **options)


@pytest.mark.parametrize(
    "selection",
    [
        "group:marts",
        AssetSelection.groups("marts"),
        [totals, "letters"],
        AssetSelection.assets(totals) | AssetSelection.keys("letters"),
    ],
    ids=["string", "object", "list", "of both"],
)
def test_a_job_makes_what_its_selection_means(selection: Any, instance: Instance, store: Any) -> None:
    defs = definitions(define_asset_job("marts", selection))

    job = defs.get_job_def("marts")

    assert job.asset_keys == {AssetKey("totals"), AssetKey("letters")}
    assert [job.name for job in defs.jobs] == ["marts"]


def test_a_job_is_everything_unless_it_selects(store: Any) -> None:
    result = (
        definitions(define_asset_job("all_of_it")).get_job_def("all_of_it").execute_in_process(resources={"io_manager": store})
    )

    assert (result.success, store.stored) == (True, ["orders", "totals", "letters"])


def test_a_run_of_a_job_is_recorded_with_its_name_and_tags(instance: Instance, store: Any) -> None:
    declared = define_asset_job("raw", "group:raw", tags={"team": "shop", "tier": "low"}, description="What comes in.")
    job = definitions(declared).resolve_job_def("raw")

    result = job.execute_in_process(instance=instance, tags={"tier": "high"}, resources={"io_manager": store})

    run = instance.get_run_by_id(result.run_id)
    assert (run.job_name, run.tags) == ("raw", {"team": "shop", "tier": "high"})
    assert (job.description, job.tags) == ("What comes in.", {"team": "shop", "tier": "low"})


def test_tags_of_runs_can_be_others_than_those_of_the_job(instance: Instance) -> None:
    job = definitions(define_asset_job("raw", "group:raw", tags={"team": "shop"}, run_tags={"queue": "slow"})).get_job_def(
        "raw"
    )

    result = job.execute_in_process(instance=instance)

    assert instance.get_run_by_id(result.run_id).tags == {"queue": "slow"}


def test_what_a_run_says_of_an_asset_replaces_what_the_job_says(store: Any) -> None:
    config = RunConfig({"orders": Size(rows=2, name="job"), "totals": Size(rows=3)})
    job = definitions(define_asset_job("made", [orders, totals], config=config)).get_job_def("made")
    resources = {"io_manager": store}

    assert job.execute_in_process(resources=resources).asset_value("totals") == [(2, "job"), 3]
    given = {"ops": {"orders": {"config": {"rows": 5}}}}
    assert job.execute_in_process(given, resources=resources).asset_value("totals") == [(5, "plain"), 3]


def test_a_part_of_a_job_runs_with_its_part_of_the_configuration(store: Any) -> None:
    config = {"ops": {"orders": {"config": {"rows": 2}}, "totals": {"config": {"rows": 3}}}}
    job = definitions(define_asset_job("made", [orders, totals], config=config)).get_job_def("made")

    result = job.execute_in_process(asset_selection="orders", resources={"io_manager": store})

    assert (result.asset_value("orders"), store.stored) == ((2, "plain"), ["orders"])
    with pytest.raises(InvalidSelectionError, match="the job 'made' does not make letters"):
        job.execute_in_process(asset_selection=["orders", "letters"])


def test_errors_are_raised_unless_they_are_asked_for() -> None:
    @asset
    def broken() -> None:
        raise ValueError("no such luck")

    job = Definitions(broken, jobs=[define_asset_job("broken_job")]).get_job_def("broken_job")

    assert job.execute_in_process(raise_on_error=False).success is False
    with pytest.raises(ValueError, match="no such luck"):
        job.execute_in_process()


def test_a_job_has_the_executor_of_the_definitions_or_its_own() -> None:
    threads, few = ThreadExecutor(4), ThreadExecutor(1)
    defs = definitions(define_asset_job("a"), define_asset_job("b", executor=few), executor=threads)

    assert [defs.get_job_def(name).executor for name in "ab"] == [threads, few]


def test_merged_definitions_have_the_jobs_of_all_parts() -> None:
    one = Definitions(orders, jobs=[define_asset_job("raw", "group:raw")])
    other = Definitions(asset(name="beside")(lambda: None), jobs=[define_asset_job("beside_job", "beside")])

    merged = Definitions.merge(one, other)

    assert [job.name for job in merged.jobs] == ["raw", "beside_job"]


def test_an_unknown_job_is_an_error_that_guesses() -> None:
    with pytest.raises(InvalidSelectionError, match=r"there is no job 'nightli'\. Did you mean 'nightly'"):
        definitions(define_asset_job("nightly")).get_job_def("nightli")


@pytest.mark.semantics(30)
def test_all_faults_of_jobs_are_reported_at_once_with_their_places() -> None:
    whole = multi_asset(specs=[AssetSpec("left"), AssetSpec("right")], name="whole")(lambda: None)
    days = StaticPartitionsDefinition(["mon", "tue"])
    jobs = [
        define_asset_job("typo", "key:ordrs"),
        define_asset_job("empty", AssetSelection.keys()),
        define_asset_job("unreadable", "group:marts and"),
        define_asset_job("half", "left"),
        define_asset_job("wrong_config", "orders", config={"ops": {"totals": {"config": {}}}}),
        define_asset_job("wrong_section", "orders", config={"opps": {}}),
        define_asset_job("in_days", "orders", partitions_def=days),
        define_asset_job("twice", "orders"),
        define_asset_job("twice", "totals"),
        "a job",
    ]

    with pytest.raises(InvalidDefinitionsError) as caught:
        Definitions([orders, totals, whole], jobs=jobs)

    faults = [str(fault) for fault in caught.value.exceptions]
    expected = [
        "job 'twice' is defined twice",
        "'a job' is not a job",
        "job 'typo': there is no asset 'ordrs'",
        "job 'empty': the selection 'not *' holds no asset",
        "job 'unreadable': ",
        "job 'half': 'whole' makes all its assets or none",
        "job 'wrong_config': it configures 'totals', which is no asset of the job",
        "job 'wrong_section': run configuration has no section 'opps'",
        "job 'in_days': it is partitioned, and none of its assets is",
    ]
    assert [text for text, start in zip(faults, expected, strict=True) if not text.startswith(start)] == []
    assert all("test_jobs.py:" in text for text in faults if "is not a job" not in text)


def test_a_name_or_tag_that_is_not_allowed_is_an_error_at_once() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        define_asset_job("a job", tags={"n": 1})

    assert "job 'a job': the name 'a job' is not allowed" in str(caught.value)
    assert "job 'a job': the tag 'n' has the value 1" in str(caught.value)
    assert str(caught.value).count("test_jobs.py:") == 2


def test_jobs_are_checked_although_the_graph_is_faulty() -> None:
    lost = asset(name="lost")(lambda nowhere: None)

    with pytest.raises(InvalidDefinitionsError) as caught:
        Definitions([lost], jobs=[define_asset_job("typo", "key:losst")])

    assert [type(fault) for fault in caught.value.exceptions] == [InvalidDefinitionError, InvalidDefinitionError]


def test_a_job_of_partitions_runs_for_one_of_them(instance: Instance) -> None:
    days = StaticPartitionsDefinition(["mon", "tue"])
    made = []

    @asset(partitions_def=days)
    def sales(context: AssetExecutionContext) -> None:
        made.append(context.partition_key)

    job = Definitions([sales, orders, totals], jobs=[define_asset_job("sold", ["sales", "orders"])]).get_job_def("sold")

    assert job.partitions_def == days
    assert job.execute_in_process(partition_key="tue", instance=instance).success
    assert made == ["tue"]


def test_the_assets_of_a_job_are_partitioned_alike() -> None:
    first = asset(name="first", partitions_def=StaticPartitionsDefinition(["a"]))(lambda: None)
    second = asset(name="second", partitions_def=StaticPartitionsDefinition(["b"]))(lambda: None)

    with pytest.raises(InvalidDefinitionError, match=r"job 'both': its assets are not partitioned alike: .*Make a job of each"):
        Definitions([first, second], jobs=[define_asset_job("both")])
    with pytest.raises(InvalidDefinitionError, match="job 'other': it is partitioned otherwise than first"):
        Definitions([first], jobs=[define_asset_job("other", partitions_def=StaticPartitionsDefinition(["b"]))])
