"""What others are told of runs: OpenLineage events and OpenTelemetry spans, each only where it is asked for."""

from warehouse_assets.telemetry.settings import configure_telemetry

__all__ = ["configure_telemetry"]
