from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from io_managers import DuckDBIOManager
from warehouse_assets import Definitions, Instance, StaticPartitionsDefinition, ThreadExecutor, asset, materialize
from warehouse_assets.automation.submission import execute_recorded, run_for
from warehouse_assets.errors import RetryRequested
from warehouse_assets.events import CodeLocation
from warehouse_assets.telemetry import configure_telemetry
from warehouse_assets.telemetry.trace_context import TRACE_TAG

PLACE = CodeLocation("here", "here.py", ".")
PROVIDER = TracerProvider()
TRACER = PROVIDER.get_tracer("user code")


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    processor = SimpleSpanProcessor(exporter)
    PROVIDER.add_span_processor(processor)
    configure_telemetry(opentelemetry=PROVIDER)
    yield exporter
    configure_telemetry()
    PROVIDER._active_span_processor._span_processors = ()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def parents(exporter: InMemorySpanExporter) -> dict[str, str | None]:
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {span.name: names[span.parent.span_id] if span.parent is not None else None for span in spans}


@asset
def orders() -> pl.DataFrame:
    with TRACER.start_as_current_span("fetching"):
        return pl.DataFrame({"id": [1, 2, 3]})


@asset
def source() -> None: ...


@asset
def report(orders: pl.DataFrame) -> pl.DataFrame:
    return orders


@pytest.mark.parametrize("threads", [False, True], ids=["one thread", "threads"])
def test_steps_are_in_the_span_of_the_run_and_user_code_in_that_of_its_step(
    threads: bool, exporter: InMemorySpanExporter
) -> None:
    with TRACER.start_as_current_span("caller"):
        materialize([orders, report], executor=ThreadExecutor(2) if threads else None)

    assert parents(exporter) == {
        "fetching": "orders",
        "orders": "run materialize",
        "report": "run materialize",
        "run materialize": "caller",
        "caller": None,
    }


def test_a_step_says_what_it_made(exporter: InMemorySpanExporter, tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    result = materialize([orders], resources={"io_manager": manager})

    assert dict(by_name(exporter)["orders"].attributes or {}) == {
        "warehouse_assets.run_id": result.run_id,
        "warehouse_assets.step_key": "orders",
        "warehouse_assets.asset_keys": ("orders",),
        "warehouse_assets.attempt": 1,
        "warehouse_assets.status": "success",
        "warehouse_assets.row_count": 3,
        "warehouse_assets.byte_size": 262144,
    }


def test_each_attempt_has_a_span_and_a_failure_its_exception(exporter: InMemorySpanExporter) -> None:
    @asset
    def broken() -> int:
        raise RetryRequested(max_retries=1) from ValueError("no rows")

    @asset
    def after(broken: int) -> int:
        return broken

    materialize([broken, after], raise_on_error=False)

    attempts = [span for span in exporter.get_finished_spans() if span.name == "broken"]
    run = by_name(exporter)["run materialize"]
    assert [(span.status.status_code, (span.attributes or {})["warehouse_assets.attempt"]) for span in attempts] == [
        (trace.StatusCode.ERROR, 1),
        (trace.StatusCode.ERROR, 2),
    ]
    assert [event.name for span in attempts for event in span.events] == ["exception", "exception"]
    assert (run.status.status_code, [event.name for event in run.events]) == (
        trace.StatusCode.ERROR,
        ["up for retry", "skipped"],
    )


def test_a_canceled_run_leaves_no_span_open(exporter: InMemorySpanExporter) -> None:
    @asset
    def endless() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        materialize([endless])

    statuses = {span.name: (span.attributes or {}).get("warehouse_assets.status") for span in exporter.get_finished_spans()}
    assert (statuses, trace.get_current_span()) == ({"endless": None, "run materialize": "canceled"}, trace.INVALID_SPAN)


def test_partitions_are_told(exporter: InMemorySpanExporter) -> None:
    @asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]))
    def regional() -> int:
        return 1

    materialize([regional], partition_key="eu")

    assert (by_name(exporter)["regional"].attributes or {})["warehouse_assets.partition"] == "eu"


def test_a_run_that_waits_is_part_of_the_trace_in_which_it_was_asked_for(
    exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = Definitions([source])
    with Instance.ephemeral() as instance:
        with TRACER.start_as_current_span("asking") as asking:
            run = run_for(definitions, PLACE, instance=instance)
        instance.event_log.add_runs([run])
        execute_recorded(definitions, run, instance=instance)
        monkeypatch.setenv("TRACEPARENT", "00-11111111111111111111111111111111-2222222222222222-01")
        other = run_for(definitions, PLACE, instance=instance)

    found = by_name(exporter)
    assert parents(exporter)["run materialize"] == "asking"
    assert found["run materialize"].context.trace_id == asking.get_span_context().trace_id
    assert other.tags[TRACE_TAG] == "00-11111111111111111111111111111111-2222222222222222-01"
