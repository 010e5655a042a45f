from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets.errors import InstanceError, InvalidDefinitionError, InvalidInvocationError, RunNotFoundError
from warehouse_assets.events import AssetCheckEvaluation, AssetMaterialization, AssetObservation, Event, RunRecord
from warehouse_assets.instance import Instance
from warehouse_assets.keys import AssetCheckKey, AssetKey
from warehouse_assets.partitions.definition import DynamicPartitionsStore
from warehouse_assets.partitions.dynamic import DynamicPartitionsDefinition

ORDERS, CUSTOMERS = AssetKey(["staging", "orders"]), AssetKey(["staging", "customers"])


@pytest.fixture
def instance() -> Iterator[Instance]:
    with Instance.ephemeral() as instance:
        yield instance


class TestPlaces:
    @pytest.fixture(autouse=True)
    def no_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WAREHOUSE_ASSETS_HOME", raising=False)

    def test_a_local_instance_remembers(self, tmp_path: Path) -> None:
        with Instance.local(tmp_path / "new" / "home") as instance:
            instance.report_runless_asset_event(AssetMaterialization(ORDERS, metadata={"row_count": 3}))
            instance.create_run(RunRecord("r1", "QUEUED", 1.0))

        with Instance.local(str(tmp_path / "new" / "home")) as instance:
            event = instance.get_latest_materialization_event(ORDERS)

            assert event
            assert event.asset_materialization == AssetMaterialization(ORDERS, metadata={"row_count": 3})
            assert instance.get_runs() == [RunRecord("r1", "QUEUED", 1.0)]
            assert instance.folder == tmp_path / "new" / "home"
            assert instance.storage_path == tmp_path / "new" / "home" / "storage"
            assert not instance.is_ephemeral
            assert repr(instance) == f"Instance(SqliteEventLog({str(tmp_path / 'new' / 'home' / 'record.db')!r}))"

    def test_the_environment_names_the_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WAREHOUSE_ASSETS_HOME", str(tmp_path / "home"))

        with Instance.get(tmp_path / "project") as instance:
            assert instance.folder == tmp_path / "home"

        assert [path.name for path in tmp_path.iterdir()] == ["home"]

    def test_a_url_names_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WAREHOUSE_ASSETS_URL", f"sqlite:///{tmp_path / 'home'}")

        with Instance.get(tmp_path / "project") as instance:
            assert instance.folder == tmp_path / "home"
        with Instance.from_url(f"sqlite:///{tmp_path / 'other'}") as instance:
            assert instance.folder == tmp_path / "other"

    @pytest.mark.parametrize("url", ["sqlite://", "mysql://host/db", "nothing", "sqlite:///"])
    def test_another_url_is_refused(self, url: str) -> None:
        with pytest.raises(InstanceError, match="no record is kept at a URL of the kind"):
            Instance.from_url(url)

    @pytest.mark.parametrize(
        ("there", "start", "folder"),
        [
            ([], "a/b", "a/b/.warehouse_assets"),
            (["pyproject.toml"], "a/b", ".warehouse_assets"),
            (["a/pyproject.toml", "pyproject.toml"], "a/b", "a/.warehouse_assets"),
            (["a/.warehouse_assets/x", "a/b/c/pyproject.toml"], "a/b", "a/.warehouse_assets"),
            (["a/b/.warehouse_assets/x", "pyproject.toml"], "a/b", "a/b/.warehouse_assets"),
        ],
    )
    def test_the_folder_is_beside_the_project(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], start: str, folder: str
    ) -> None:
        for name in there:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / start).mkdir(parents=True, exist_ok=True)

        with Instance.get(tmp_path / start) as instance:
            assert instance.folder == tmp_path / folder

        monkeypatch.chdir(tmp_path / start)
        with Instance.get() as instance:
            assert instance.folder == tmp_path / folder

    def test_version_control_passes_a_new_folder_over(self, tmp_path: Path) -> None:
        (tmp_path / "kept" / ".warehouse_assets").mkdir(parents=True)

        Instance.get(tmp_path / "new").close()
        Instance.get(tmp_path / "kept").close()

        assert (tmp_path / "new" / ".warehouse_assets" / ".gitignore").read_text() == "*\n"
        assert not (tmp_path / "kept" / ".warehouse_assets" / ".gitignore").exists()

    def test_the_folder_of_an_ephemeral_instance_lives_as_long(self) -> None:
        with Instance.ephemeral() as instance:
            closed = instance.folder
            instance.storage_path.mkdir()
            (instance.storage_path / "orders").touch()

            assert instance.folder is closed

        dropped = Instance.ephemeral().folder
        gc.collect()

        assert not closed.exists()
        assert not dropped.exists()

    def test_an_ephemeral_instance_makes_no_folder_unasked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

        with Instance.ephemeral() as instance:
            instance.report_runless_asset_event(AssetMaterialization(ORDERS))

            assert repr(instance) == "Instance.ephemeral()"
            assert instance.is_ephemeral

        assert list(tmp_path.iterdir()) == []

    def test_importing_and_an_ephemeral_instance_load_no_library(self) -> None:
        program = (
            "import sys; from warehouse_assets.instance import Instance; Instance.ephemeral().get_runs();"
            "print(sorted({'msgspec', 'polars', 'pyarrow', 'pydantic', 'sqlalchemy'} & set(sys.modules)))"
        )

        assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


class TestAssets:
    def test_the_latest_of_an_asset_however_its_key_is_given(self, instance: Instance) -> None:
        instance.report_runless_asset_event(AssetMaterialization(ORDERS, description="first"))
        instance.report_runless_asset_event(AssetMaterialization(ORDERS, description="second"))

        events = [instance.get_latest_materialization_event(key) for key in (ORDERS, "staging/orders", ["staging", "orders"])]

        assert [event and event.data for event in events] == [AssetMaterialization(ORDERS, description="second")] * 3
        assert instance.get_latest_materialization_event("orders") is None

    def test_the_latest_of_many_assets(self, instance: Instance) -> None:
        for key in (ORDERS, CUSTOMERS):
            instance.report_runless_asset_event(AssetMaterialization(key))

        events = instance.get_latest_materialization_events([ORDERS, "staging/customers", "missing"])

        assert {key: event.asset_key for key, event in events.items()} == {ORDERS: ORDERS, CUSTOMERS: CUSTOMERS}

    def test_the_latest_evaluation_of_each_check(self, instance: Instance) -> None:
        unique, few, never = (AssetCheckKey(ORDERS, name) for name in ("unique", "few", "never"))
        for passed in (True, False):
            instance.report_runless_asset_event(AssetCheckEvaluation(ORDERS, "unique", passed))
        instance.report_runless_asset_event(AssetCheckEvaluation(ORDERS, "few", True, partition="mon"))

        latest = instance.get_latest_asset_check_evaluations([unique, few, never])

        assert {key: evaluation.passed for key, evaluation in latest.items()} == {unique: False, few: True}
        assert instance.get_latest_asset_check_evaluation(few, "mon") == AssetCheckEvaluation(
            ORDERS, "few", True, partition="mon"
        )
        assert instance.get_latest_asset_check_evaluation(few, "tue") is None
        assert len(instance.get_event_records(asset_key=ORDERS, event_types="ASSET_CHECK_EVALUATION")) == 3

    def test_partitions(self, instance: Instance) -> None:
        for day in ("mon", "tue", "mon"):
            instance.report_runless_asset_event(AssetMaterialization(ORDERS, partition=day))

        latest = {day: instance.get_latest_materialization_event(ORDERS, day) for day in ("mon", "tue", "wed")}

        assert instance.get_materialized_partitions("staging/orders") == {"mon", "tue"}
        assert {day: event and event.storage_id for day, event in latest.items()} == {"mon": 3, "tue": 2, "wed": None}

    def test_what_happens_outside_of_runs(self, instance: Instance) -> None:
        instance.report_runless_asset_event(AssetObservation(ORDERS, metadata={"rows": 3}))

        event = instance.get_latest_observation_event(ORDERS)

        assert event
        assert event.run_id == ""
        assert event.asset_observation == AssetObservation(ORDERS, metadata={"rows": 3})
        assert instance.get_latest_materialization_event(ORDERS) is None
        with pytest.raises(InstanceError, match="'staging/orders' is not an event of an asset"):
            instance.report_runless_asset_event("staging/orders")

    def test_wiping(self, instance: Instance) -> None:
        for key in (ORDERS, CUSTOMERS):
            instance.report_runless_asset_event(AssetMaterialization(key))

        instance.wipe(["staging/orders"])

        assert instance.get_latest_materialization_events([ORDERS, CUSTOMERS]).keys() == {CUSTOMERS}

    def test_event_records(self, instance: Instance) -> None:
        events = [
            Event("RUN_START", "r1", 1.0),
            Event("ASSET_MATERIALIZATION", "r1", 2.0, data=AssetMaterialization(ORDERS)),
            Event("ASSET_OBSERVATION", "r2", 3.0, data=AssetObservation(ORDERS)),
        ]
        instance.store_events(events)

        def times(**question: object) -> list[float]:
            return [event.timestamp for event in instance.get_event_records(**question)]

        assert times() == [1.0, 2.0, 3.0]
        assert times(run_id="r1") == [1.0, 2.0]
        assert times(asset_key="staging/orders", ascending=False) == [3.0, 2.0]
        assert times(event_types="RUN_START") == [1.0]
        assert times(event_types=["RUN_START", "ASSET_OBSERVATION"], limit=1) == [1.0]
        assert times(after=1, before=3) == [2.0]


class TestRuns:
    def test_a_run_is_found_by_its_id(self, instance: Instance) -> None:
        run = RunRecord("r1", "QUEUED", 1.0)
        instance.create_run(run)

        assert instance.get_run_by_id("r1") == instance.get_run_record("r1") == run
        assert instance.has_run("r1")

    def test_an_unknown_run(self, instance: Instance) -> None:
        assert instance.get_run_by_id("r9") is None
        assert not instance.has_run("r9")
        with pytest.raises(RunNotFoundError, match="no run 'r9' is recorded"):
            instance.get_run_record("r9")

    def test_runs_by_status(self, instance: Instance) -> None:
        for number in range(3):
            instance.create_run(RunRecord(f"r{number}", "QUEUED", 0.0))
        instance.store_events([Event("RUN_START", "r1", 1.0), Event("RUN_FAILURE", "r1", 2.0)])

        assert [run.run_id for run in instance.get_runs(statuses="FAILURE")] == ["r1"]
        assert [run.run_id for run in instance.get_runs(statuses=["QUEUED"], limit=1)] == ["r2"]
        assert [run.run_id for run in instance.get_runs(cursor="r1")] == ["r0"]


def test_asking_for_a_record_without_making_one_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAREHOUSE_ASSETS_HOME", raising=False)

    with Instance.get(tmp_path, create=False) as instance:
        assert instance.is_ephemeral
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("WAREHOUSE_ASSETS_HOME", str(tmp_path / "home"))
    with Instance.get(create=False) as instance:
        assert instance.is_ephemeral
    with Instance.get(), Instance.get(create=False) as instance:
        assert not instance.is_ephemeral


@pytest.mark.semantics(37)
class TestDynamicPartitions:
    def test_they_are_added_looked_up_and_deleted(self, instance: Instance) -> None:
        instance.add_dynamic_partitions("customers", iter(["ann", "bob", "ann"]))
        instance.delete_dynamic_partition("customers", "ann")

        assert instance.get_dynamic_partitions("customers") == ["bob"]
        assert [instance.has_dynamic_partition("customers", key) for key in ("ann", "bob")] == [False, True]
        assert isinstance(instance, DynamicPartitionsStore)
        assert DynamicPartitionsDefinition("customers").get_partition_keys(dynamic_partitions_store=instance) == ("bob",)

    @pytest.mark.parametrize(
        ("keys", "what"),
        [
            ("ann", "are one string, 'ann'"),
            ([""], "not a non-empty string: ''"),
            ([3], "not a non-empty string: 3"),
            (["a", "b...c"], r"holds '\.\.\.'"),
            (["a\0b"], "holds"),
        ],
        ids=["text", "empty", "number", "dots", "nul"],
    )
    def test_keys_that_no_partition_can_have_are_refused(self, instance: Instance, keys: Any, what: str) -> None:
        with pytest.raises(InvalidDefinitionError, match=f"dynamic partitions 'customers' .*{what}"):
            instance.add_dynamic_partitions("customers", keys)

        assert instance.get_dynamic_partitions("customers") == []

    @pytest.mark.parametrize("name", [DynamicPartitionsDefinition("customers"), "", None], ids=["definition", "empty", "none"])
    def test_a_name_that_is_none_is_refused(self, instance: Instance, name: Any) -> None:
        with pytest.raises(InvalidDefinitionError, match="asked for by their name, a string, and not by"):
            instance.add_dynamic_partitions(name, ["ann"])


def test_what_is_older_is_forgotten_and_what_is_left_is_told() -> None:
    with Instance.ephemeral() as instance:
        instance.store_events([Event("LOG", "", 0.0), Event("LOG", "", time.time())])

        pruned = [instance.prune(timedelta(days=1), dry_run=dry_run) for dry_run in (True, False)]

        assert [one.events for one in pruned] == [1, 1]
        assert instance.info().events == 1
        with pytest.raises(InvalidInvocationError, match="in the future"):
            instance.prune(timedelta(days=-1))
