"""The trace that a run is part of, which is begun in one process and carried out in another: W3C's `traceparent`, as a tag of the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from warehouse_assets.telemetry.settings import telemetry_wanted

__all__ = ["TRACE_TAG", "context_of", "trace_tags"]

TRACE_TAG = "warehouse_assets/traceparent"
_FIELD = "traceparent"


def trace_tags() -> dict[str, str]:
    """The tag of a run that is asked for here and now: in the current span, or else in that of the variable TRACEPARENT. None where nobody traces."""
    found: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules and telemetry_wanted(lasting=True).opentelemetry:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(found)
    text = found.get(_FIELD) or os.environ.get("TRACEPARENT")
    return {TRACE_TAG: text} if text else {}


def context_of(tags: Mapping[str, str]) -> Any:
    """The context in which the span of a run begins: the current one, where a span is; else that of its tag."""
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if TRACE_TAG not in tags or trace.get_current_span().get_span_context().is_valid:
        return None
    return TraceContextTextMapPropagator().extract({_FIELD: tags[TRACE_TAG]})
