"""What the page of an asset of the reference shows is on the page here, where the documentation says it is."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

LOAVES = "/assets/staging/loaves"
PLACES = {
    "description": (LOAVES, "overview", "as baked"),
    "group": (LOAVES, "overview", "Group staging"),
    "owners": (LOAVES, "overview", "Owners team:ovens"),
    "kinds": (LOAVES, "overview", "Kinds polars"),
    "tags": (LOAVES, "overview", "tier=gold"),
    "storage": (LOAVES, "overview", "staging.loaves"),
    "materialization": (LOAVES, "overview", "Latest materialization"),
    "metadata": (LOAVES, "overview", "crumbs 0.25"),
    "code_version_made": (LOAVES, "overview", "code 3"),
    "condition": (LOAVES, "overview", "What makes it by itself condition"),
    "job": (LOAVES, "overview", "job nightly"),
    "schedule": (LOAVES, "overview", "schedule every_night daily at 03:00"),
    "freshness": (LOAVES, "overview", "The policy: no older than 2 days"),
    "upstream": (LOAVES, "overview", "Upstream 1 raw/ flour"),
    "downstream": (LOAVES, "overview", "Downstream 1 marts/ per_name"),
    "observe": ("/assets/raw/flour", "overview", "Observe"),
    "events": (LOAVES, "activity", "materialization"),
    "plots": (LOAVES, "activity", "crumbs"),
    "types": (LOAVES, "table", "id BIGINT"),
    "constraints": (LOAVES, "table", "may be"),
    "column_description": (LOAVES, "table", "Which loaf."),
    "column_lineage": ("/assets/marts/per_name", "columns", "staging/loaves . name"),
    "checks": (LOAVES, "checks", "has_rows"),
    "check_history": (LOAVES, "checks", "✕ failed"),
    "partitions": ("/assets/daily", "partitions", "2024-01-02 fresh"),
    "code": (LOAVES, "definition", "def loaves"),
    "code_version": (LOAVES, "definition", "code version 3"),
    "retries": (LOAVES, "definition", "2 retries, after 1.5 s"),
    "pool": (LOAVES, "definition", "pool oven"),
    "op_tags": (LOAVES, "definition", "op tag size big"),
    "io_manager": (LOAVES, "definition", "DuckDBIOManager"),
    "output_type": (LOAVES, "definition", "Output[pl.DataFrame]"),
    "config": (LOAVES, "definition", "Field Type Default Description loaves int 3"),
    "definition_metadata": (LOAVES, "definition", "https://example.com/loaves"),
}


@pytest.mark.parametrize(("address", "tab", "said"), PLACES.values(), ids=PLACES)
def test_what_the_reference_shows_is_there(client: TestClient, address: str, tab: str, said: str) -> None:
    page = client.get(address, params={"tab": tab}).text
    text = " ".join(re.sub(r"<[^>]*>", " ", page.partition("<main")[2]).split())

    assert said in text
