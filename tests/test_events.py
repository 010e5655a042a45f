from __future__ import annotations

import json

import pytest

from warehouse_assets import AssetKey, AssetMaterialization, AssetObservation, Failure, MetadataValue
from warehouse_assets.events import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    ErrorInfo,
    Event,
    EventType,
    event_data_from_json,
    event_data_to_json,
)


def made() -> AssetMaterialization:
    return AssetMaterialization(
        AssetKey(["a/b", "c"]), description="first", metadata={"rows": 3}, partition="2026-01-01", tags={"v": "1"}
    )


def seen() -> AssetObservation:
    return AssetObservation(AssetKey("c"), metadata={"late": True})


def checked() -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        AssetKey("c"),
        "few",
        False,
        AssetCheckSeverity.WARN,
        blocking=True,
        description="2 rows",
        metadata={"n": 2},
        partition="p",
    )


def failed() -> ErrorInfo:
    try:
        raise Failure("no rows", metadata={"rows": 0})
    except Failure as error:
        error.add_note("in asset 'c'")
        return ErrorInfo.of(error)


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("ASSET_MATERIALIZATION", made()),
        ("ASSET_OBSERVATION", seen()),
        ("ASSET_CHECK_EVALUATION", checked()),
        ("STEP_FAILURE", failed()),
        ("RUN_START", None),
    ],
)
def test_what_an_event_carries_goes_to_json_and_back(event_type: EventType, data: object) -> None:
    text = json.dumps(event_data_to_json(data))

    assert event_data_from_json(event_type, json.loads(text)) == data


def test_an_event_shows_what_it_is_about() -> None:
    events = [
        Event("ASSET_MATERIALIZATION", "r", 0.0, data=made()),
        Event("ASSET_OBSERVATION", "r", 0.0, data=seen()),
        Event("STEP_FAILURE", "r", 0.0, data=failed()),
    ]

    assert [event.asset_key for event in events] == [AssetKey(["a/b", "c"]), AssetKey("c"), None]
    assert [event.asset_materialization for event in events] == [made(), None, None]
    assert [event.asset_observation for event in events] == [None, seen(), None]
    assert [event.partition for event in events] == ["2026-01-01", None, None]
    assert [event.error is not None for event in events] == [False, False, True]


def test_plain_keys_and_metadata_become_typed() -> None:
    event = AssetMaterialization("raw/orders", metadata={"rows": 3})

    assert (event.asset_key, event.metadata) == (AssetKey(["raw", "orders"]), {"rows": MetadataValue.int(3)})


@pytest.mark.semantics(21)
def test_the_record_of_a_failure_has_its_class_message_notes_and_metadata() -> None:
    info = failed()

    assert (info.cls_name, info.message, info.metadata) == ("Failure", "no rows", {"rows": MetadataValue.int(0)})
    assert info.stack.endswith("Failure: no rows\nin asset 'c'\n")


def test_metadata_that_cannot_be_recorded_does_not_hide_the_failure() -> None:
    info = ErrorInfo.of(Failure("no rows", metadata={"rows": object()}))

    assert (info.message, list(info.metadata)) == ("no rows", ["metadata_error"])
