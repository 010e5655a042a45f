"""What code locations answer about one asset."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.events import Event, LogEntry
from warehouse_assets.web.answers import asset_partitions, asset_state, asset_statuses
from warehouse_assets.web.answers.asset import AssetRequest, AssetSource, asset_source
from warehouse_assets.web.answers.asset_columns import ColumnLink, column_links
from warehouse_assets.web.answers.asset_partitions import PartitionsRequest, Span, partition_states
from warehouse_assets.web.answers.asset_rows import Cell, RowsRequest, SampleRows, sample_rows
from warehouse_assets.web.answers.asset_settings import shown
from warehouse_assets.web.answers.asset_state import AssetNow, NowRequest, asset_now
from warehouse_assets.web.answers.asset_versions import table_versions
from warehouse_assets.web.site import Site

LOAVES = AssetRequest(("staging", "loaves"))


@pytest.fixture
def ask(bakery: Site) -> Callable[..., Any]:
    return bakery.workspace["bakery"].ask


def test_the_definition_of_an_asset_is_told_with_its_code_settings_and_promises(ask: Callable[..., Any]) -> None:
    source: AssetSource = ask(asset_source, LOAVES)

    assert (source.kind, source.output_type) == ("function", "Output[pl.DataFrame]")
    assert source.codes[0].text.startswith("@asset(")
    assert source.codes[0].file.endswith("bakery.py")
    assert [(column.name, column.description) for column in source.columns][:2] == [("id", "Which loaf."), ("name", None)]
    assert source.table_place == "staging.loaves"
    assert source.facts == (
        ("code version", "3"),
        ("pool", "oven"),
        ("retry policy", "2 retries, after 1.5 s"),
    )
    assert [(field.name, field.default) for field in source.config] == [("loaves", "3"), ("api_key", "•••")]
    assert [(check.name, check.blocking) for check in source.checks] == [("has_rows", True)]
    assert source.manager is not None
    assert source.manager.type == "DuckDBIOManager"


def test_an_asset_is_stale_with_causes_and_knows_what_runs_it(ask: Callable[..., Any]) -> None:
    now: AssetNow = ask(asset_now, NowRequest(LOAVES.key))

    assert now.state == "fresh"
    assert now.freshness_policy == "no older than 2 days; warns after 1 day"
    assert [(trigger.kind, trigger.name, trigger.crons, trigger.says) for trigger in now.triggers] == [
        ("job", "nightly", (), None),
        ("schedule", "every_night", ("0 3 * * *",), "UTC"),
    ]


def test_a_source_has_no_state(ask: Callable[..., Any]) -> None:
    assert ask(asset_now, NowRequest(("raw", "events"))).state is None


def test_sample_rows_tell_null_from_empty_and_cut_what_is_long(ask: Callable[..., Any]) -> None:
    sample: SampleRows = ask(sample_rows, RowsRequest(("staging", "loaves"), 2))

    assert [name for name, _ in sample.columns] == ["id", "name", "note", "raw"]
    assert sample.more
    assert min(sample.rows, key=lambda row: row[0].text) == (
        Cell("number", "0"),
        Cell("text", "<b>rye</b>"),
        Cell("null"),
        Cell("binary", "3 bytes: 616263"),
    )


def test_a_small_value_of_a_store_without_limits_is_read_and_a_large_one_refused(ask: Callable[..., Any]) -> None:
    sample: SampleRows = ask(sample_rows, RowsRequest(("values",)))

    assert [name for name, _ in sample.columns] == ["a", "b", "c"]
    assert sample.rows[1] == (Cell("number", "2"), Cell("null"), Cell("text", "<i>"))


def test_rows_of_a_table_that_was_never_made_are_an_error(ask: Callable[..., Any]) -> None:
    with pytest.raises(TableNotFoundError, match="does not exist"):
        ask(sample_rows, RowsRequest(("raw", "events")))


def test_partitions_are_runs_of_equal_states(ask: Callable[..., Any]) -> None:
    states = ask(partition_states, PartitionsRequest(("daily",), text="01-0", state="missing", offset=1, limit=2))

    assert (states.total, states.counts) == (31, {"missing": 30, "fresh": 1})
    assert states.lanes[0].spans == (
        Span("missing", 1, "2024-01-01", "2024-01-01"),
        Span("fresh", 1, "2024-01-02", "2024-01-02"),
        Span("missing", 29, "2024-01-03", "2024-01-31"),
    )
    assert (states.matching, states.listed) == (8, (("2024-01-03", "missing"), ("2024-01-04", "missing")))


def test_partitions_of_two_dimensions_have_a_bar_for_each_key_of_the_shorter_one(ask: Callable[..., Any]) -> None:
    states = ask(partition_states, PartitionsRequest(("by_shop",)))

    assert states.dimensions == ("day", "shop")
    assert [(lane.name, [span.count for span in lane.spans]) for lane in states.lanes] == [("east", [31]), ("west", [31])]


def test_columns_are_linked_both_ways(ask: Callable[..., Any]) -> None:
    links = ask(column_links, LOAVES)

    assert links.columns == ("id", "name", "note", "raw")
    assert ColumnLink("name", ("marts", "per_name"), "name", "direct") in links.downstream
    assert ColumnLink("note", ("marts", "per_name"), None, "rows") in links.downstream


def test_versions_are_told_with_the_present_one_first(ask: Callable[..., Any]) -> None:
    kept = ask(table_versions, LOAVES)

    assert [version.row_count for version in kept.versions] == [3, 2]
    assert ask(table_versions, AssetRequest(("values",))).refused is not None


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("password", "hush", "•••"),
        ("storage_options", {"key": "a", "secret": "hush"}, "{key: a, secret: •••}"),
        ("url", "postgresql://me:hush@host/db", "postgresql://•••@host/db"),
        ("dsn", "host=a password=hush port=5", "host=a password=••• port=5"),
        ("token", "", "(empty)"),
        ("path", "/data", "/data"),
        ("none", None, "None"),
    ],
)
def test_settings_are_shown_without_secrets(name: str, value: Any, text: str) -> None:
    assert shown(name, value) == text


def test_a_bar_of_two_dimensions_lists_its_own_partitions(ask: Callable[..., Any]) -> None:
    states = ask(partition_states, PartitionsRequest(("by_shop",), lane="west", offset=1, limit=1))

    assert (states.matching, states.listed) == (31, (("2024-01-02|west", "missing"),))


def test_what_takes_long_is_told_later(bakery: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = load_definitions("bakery", Path(bakery.workspace["bakery"].location.working_directory))
    for module in (asset_statuses, asset_partitions, asset_state):
        monkeypatch.setattr(module, "the_instance", lambda: bakery.instance)
    monkeypatch.setattr(asset_statuses, "MANY", 0)
    quick = partition_states(definitions, PartitionsRequest(("daily",), quick=True))
    pending = asset_now(definitions, NowRequest(("daily",), quick=True))
    whole = partition_states(definitions, PartitionsRequest(("daily",)))
    known = asset_now(definitions, NowRequest(("daily",), quick=True))

    assert (quick.is_quick, quick.counts) == (True, {"missing": 30, "made": 1})
    assert (pending.is_pending, pending.state) == (True, None)
    assert (whole.is_quick, whole.counts) == (False, {"missing": 30, "fresh": 1})
    assert (known.is_pending, known.state, known.missing) == (False, "stale", 30)


def test_what_was_recorded_counts_at_once_but_where_it_takes_long(bakery: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = load_definitions("bakery", Path(bakery.workspace["bakery"].location.working_directory))
    worked_out, counted = asset_statuses._worked_out, []

    def slowly(*of: Any) -> Any:
        counted.append(of)
        time.sleep(0.05)
        return worked_out(*of)

    for module in (asset_statuses, asset_partitions, asset_state):
        monkeypatch.setattr(module, "the_instance", lambda: bakery.instance)
    monkeypatch.setattr(asset_statuses, "_worked_out", slowly)
    monkeypatch.setattr(asset_statuses, "_known", {})

    def asked() -> tuple[int, bool, bool]:
        bakery.instance.store_events([Event("LOG", "failing", 5e9 + 3, data=LogEntry("DEBUG", "something else"))])
        now = asset_now(definitions, NowRequest(("daily",)))
        return len(counted), now.is_behind, partition_states(definitions, PartitionsRequest(("daily",))).is_behind

    at_once = [asked(), asked()]
    monkeypatch.setattr(asset_statuses, "MANY", 0)
    patient = [asked(), asked()]
    time.sleep(1.0)

    assert (at_once, patient) == ([(1, False, False), (2, False, False)], [(3, False, False), (3, True, True)])
    assert asked() == (4, False, False)
