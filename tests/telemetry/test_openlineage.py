from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attr
import polars as pl
import pytest
from openlineage.client import OpenLineageClient, event_v2, facet_v2
from openlineage.client.serde import Serde
from openlineage.client.transport.transport import Transport

from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import (
    AssetCheckResult,
    AssetSpec,
    EnvVar,
    Instance,
    Output,
    SourceAsset,
    asset,
    asset_check,
    materialize,
    sql_asset,
)
from warehouse_assets.errors import RetryRequested
from warehouse_assets.telemetry import configure_telemetry
from warehouse_assets.telemetry.openlineage import delivery_by

ROOT = Path(__file__).parents[2]
FACETS = {
    name: getattr(module, name)
    for module in (getattr(facet_v2, each) for each in facet_v2.__all__)
    for name in dir(module)
    if name.endswith("Facet") and attr.has(getattr(module, name))
}


class Kept(Transport):
    """Keeps events as they would go over the wire."""

    kind = "kept"

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def emit(self, event: Any) -> None:
        self.events.append(json.loads(Serde.to_json(event)))


class Told:
    def __init__(self) -> None:
        self.transport = Kept()
        self.client = OpenLineageClient(transport=self.transport)

    @property
    def events(self) -> list[dict[str, Any]]:
        assert delivery_by(self.client).wait(20)
        return self.transport.events

    def of(self, job: str, state: str) -> dict[str, Any]:
        (found,) = (event for event in self.events if (event["job"]["name"], event["eventType"]) == (job, state))
        return found

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(event["job"]["name"], event["eventType"]) for event in self.events]


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    configure_telemetry(openlineage=told.client)
    yield told
    configure_telemetry()


def built(event: dict[str, Any]) -> dict[str, Any]:
    """The event as the client's own classes have it, which validate it, and as JSON again."""
    event = copy.deepcopy(event)
    run, job = event_v2.Run(**event["run"]), event_v2.Job(**event["job"])
    inputs = [event_v2.InputDataset(**each) for each in event["inputs"]]
    outputs = [event_v2.OutputDataset(**each) for each in event["outputs"]]
    for holder, kinds in (
        ([run, job, *inputs, *outputs], ["facets"]),
        (inputs, ["inputFacets"]),
        (outputs, ["outputFacets"]),
    ):
        for each in holder:
            for kind in kinds:
                for name, facet in getattr(each, kind).items():
                    cls = FACETS[facet["_schemaURL"].rpartition("/")[2]]
                    fields = {field: value for field, value in facet.items() if not field.startswith("_")}
                    getattr(each, kind)[name] = cls(**fields, producer=facet["_producer"])
    made = event_v2.RunEvent(
        eventType=event_v2.RunState(event["eventType"]),
        eventTime=event["eventTime"],
        run=run,
        job=job,
        inputs=inputs,
        outputs=outputs,
        producer=event["producer"],
    )
    rebuilt: dict[str, Any] = json.loads(Serde.to_json(made))
    return rebuilt


@asset(description="Every *order*.", owners=["team:sales"])
def orders() -> pl.DataFrame:
    return pl.DataFrame({"id": [1, 2], "amount": [3.0, 4.0]})


@asset_check(asset=orders)
def positive(orders: pl.DataFrame) -> AssetCheckResult:
    return AssetCheckResult(passed=bool((orders["amount"] > 0).all()))


totals = sql_asset("totals", "select sum(amount) as total from orders where id > 0")


def test_a_run_and_its_steps_are_told_with_their_beginnings_and_ends(told: Told, tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    materialize([orders, positive, totals], resources={"io_manager": manager}, tags={"team": "sales"})

    assert told.states == [
        ("materialize", "START"),
        ("orders", "START"),
        ("orders", "COMPLETE"),
        ("totals", "START"),
        ("totals", "COMPLETE"),
        ("orders:positive", "START"),
        ("orders:positive", "COMPLETE"),
        ("materialize", "COMPLETE"),
    ]
    run_id = told.of("materialize", "START")["run"]["runId"]
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in told.events[1:-1]} == {run_id}
    assert [built(event) for event in told.events] == told.events
    tags = told.of("materialize", "START")["run"]["facets"]["tags"]["tags"]
    assert {"key": "team", "value": "sales", "source": "WAREHOUSE_ASSETS"} in tags


def test_a_table_is_told_by_its_place_with_its_columns_and_what_was_measured(told: Told, tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    materialize([orders, totals], resources={"io_manager": manager})

    (table,) = told.of("orders", "COMPLETE")["outputs"]
    place = f"duckdb://{tmp_path / 'w.duckdb'}"
    assert (table["namespace"], table["name"]) == (place, "main.orders")
    assert [(field["name"], field["type"]) for field in table["facets"]["schema"]["fields"]] == [
        ("id", "BIGINT"),
        ("amount", "DOUBLE"),
    ]
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert table["facets"]["documentation"]["description"] == "Every *order*."
    assert table["facets"]["ownership"]["owners"] == [{"name": "team:sales"}]
    job = told.of("totals", "COMPLETE")["job"]["facets"]
    assert job["sql"]["query"] == "select sum(amount) as total from orders where id > 0"
    assert job["sourceCodeLocation"]["url"].startswith(Path(__file__).as_uri())


def test_the_columns_that_a_column_is_made_from_are_told_by_their_tables(told: Told, tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    materialize([orders, totals], resources={"io_manager": manager})

    lineage = told.of("totals", "COMPLETE")["outputs"][0]["facets"]["columnLineage"]
    (amount,) = lineage["fields"]["total"]["inputFields"]
    (row,) = lineage["dataset"]
    (read,) = told.of("totals", "COMPLETE")["inputs"]
    assert (amount["namespace"], amount["name"], amount["field"]) == (read["namespace"], read["name"], "amount")
    assert amount["transformations"] == [{"type": "DIRECT", "subtype": "AGGREGATION"}]
    assert (row["field"], row["transformations"]) == ("id", [{"type": "INDIRECT", "subtype": "FILTER"}])


def test_checks_are_assertions_of_the_table_that_they_read(told: Told, tmp_path: Path) -> None:
    @asset_check(asset=orders, blocking=True)
    def few(orders: pl.DataFrame) -> AssetCheckResult:
        return AssetCheckResult(passed=len(orders) < 3)

    materialize([orders, positive, few], resources={"io_manager": ParquetIOManager(base_path=str(tmp_path))})

    alone = told.of("orders:positive", "COMPLETE")["inputs"][0]
    within = told.of("orders.checks", "COMPLETE")["inputs"][0]
    assert (alone["namespace"], alone["name"]) == ("file", str(tmp_path / "orders.parquet"))
    assert [
        (each["assertion"], each["success"], each["severity"])
        for table in (alone, within)
        for each in table["inputFacets"]["dataQualityAssertions"]["assertions"]
    ] == [("positive", True, "error"), ("few", True, "error")]
    assert told.of("orders", "COMPLETE")["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 2


def test_a_failure_is_told_with_its_error_and_a_retry_is_no_other_run(told: Told) -> None:
    tries: list[int] = []

    @asset
    def shaky() -> int:
        tries.append(1)
        if len(tries) < 2:
            raise RetryRequested(max_retries=1)
        return 1

    @asset
    def broken() -> int:
        raise ValueError("no 'rows' in the file")

    @asset
    def after(broken: int) -> int:
        return broken

    materialize([shaky, broken, after], raise_on_error=False)

    assert told.states == [
        ("materialize", "START"),
        ("shaky", "START"),
        ("shaky", "COMPLETE"),
        ("broken", "START"),
        ("broken", "FAIL"),
        ("materialize", "FAIL"),
    ]
    error = told.of("broken", "FAIL")["run"]["facets"]["errorMessage"]
    assert (error["message"], error["programmingLanguage"]) == ("ValueError: no 'rows' in the file", "PYTHON")
    assert "raise ValueError" in error["stackTrace"]


def test_a_canceled_run_and_the_step_that_ran_are_aborted(told: Told) -> None:
    @asset
    def endless() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        materialize([endless])

    assert told.states == [
        ("materialize", "START"),
        ("endless", "START"),
        ("endless", "ABORT"),
        ("materialize", "ABORT"),
    ]


def test_values_without_a_place_and_unknown_tables_are_told_by_their_keys(told: Told) -> None:
    @asset(deps=[AssetSpec(["raw", "orders"])])
    def plain() -> Output[int]:
        return Output(1)

    materialize([plain])

    done = told.of("plain", "COMPLETE")
    assert [(each["namespace"], each["name"]) for each in (*done["inputs"], *done["outputs"])] == [
        ("warehouse-assets", "raw/orders"),
        ("warehouse-assets", "plain"),
    ]


def test_a_table_in_a_store_that_the_environment_names_is_told_by_its_place(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))

    @asset(deps=["raw"])
    def cleaned() -> None: ...

    raw = SourceAsset("raw", io_manager_key="lake")
    materialize([cleaned, raw], resources={"lake": ParquetIOManager(base_path=EnvVar("LAKE"))})

    (read,) = told.of("cleaned", "COMPLETE")["inputs"]
    assert (read["namespace"], read["name"]) == ("file", f"{tmp_path}/lake/raw.parquet")


def test_nothing_is_told_of_what_nobody_asked_for() -> None:
    program = """
import sys
from warehouse_assets import asset, materialize
@asset
def one(): return 1
materialize([one])
print([name for name in sys.modules if name.startswith(("openlineage", "opentelemetry", "warehouse_assets.telemetry."))])
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout == "['warehouse_assets.telemetry.settings']\n"


def test_events_reach_a_server_that_the_environment_names_before_the_process_ends(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    program = "from warehouse_assets import asset, materialize\n@asset\ndef one(): return 1\nmaterialize([one])"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        environment = {**os.environ, "OPENLINEAGE_URL": url, "WAREHOUSE_ASSETS_OPENLINEAGE": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
    finally:
        server.shutdown()
        server.server_close()

    assert (done.stderr, [(event["job"]["name"], event["eventType"]) for event in got]) == (
        "",
        [("materialize", "START"), ("one", "START"), ("one", "COMPLETE"), ("materialize", "COMPLETE")],
    )
    assert [built(event) for event in got] == got


class Broken(Transport):
    kind = "broken"

    def emit(self, event: Any) -> None:
        raise ConnectionError("nobody listens")


def test_a_transport_that_fails_harms_no_run_and_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    client = OpenLineageClient(transport=Broken())
    configure_telemetry(openlineage=client)
    try:
        result = materialize([orders], instance=Instance.ephemeral())
        delivery_by(client).wait(20)
    finally:
        configure_telemetry()

    assert (result.success, [record.message for record in caplog.records if "OpenLineage events" in record.message]) == (
        True,
        ["OpenLineage events are lost: ConnectionError: nobody listens. Runs go on; this is said once."],
    )
