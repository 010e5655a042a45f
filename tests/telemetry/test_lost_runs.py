from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from warehouse_assets import Instance
from warehouse_assets.automation.monitoring import RunMonitoring
from warehouse_assets.events import Event, RunRecord
from warehouse_assets.telemetry import configure_telemetry
from warehouse_assets.telemetry.openlineage import delivery_by


class Client:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def emit(self, event: Any) -> None:
        self.told.append(event)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    configure_telemetry(openlineage=client)
    yield client
    configure_telemetry()


def test_openlineage_hears_of_a_run_whose_process_died(client: Client) -> None:
    with Instance.ephemeral() as instance:
        instance.event_log.add_runs([RunRecord("r1", "QUEUED", 1.0), RunRecord("r2", "QUEUED", 1.0)])
        instance.event_log.store_events([Event("RUN_STARTING", "r1", 2.0), Event("RUN_START", "r1", 3.0)])
        instance.event_log.heartbeat(["r1"], 4.0)
        RunMonitoring(instance).round(1_000.0)
    delivery_by(client).wait(60)

    assert [(event.eventType.value, event.job.name) for event in client.told] == [("FAIL", "materialize")]
    assert client.told[0].run.facets["errorMessage"].message.startswith("the process of the run died")
