from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from warehouse_assets.errors import InstanceError
from warehouse_assets.events import AssetObservation, Event, RunRecord
from warehouse_assets.instance.codec import event_body, event_from_body, key_text, run_body, run_from_body
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.resources import EnvVar
from warehouse_assets.testing.event_log import METADATA, ORDERS


def test_an_event_that_says_nothing_takes_no_room() -> None:
    assert event_body(Event("STEP_START", "r1", 0.0)) == "{}"


@pytest.mark.parametrize("message", ["plain", "half \udcff", "nul \0"])
def test_a_body_is_json_whatever_the_text(message: str) -> None:
    event = Event("LOG", "r1", 1.5, "orders", message, storage_id=7)

    assert json.loads(event_body(event)) == {"step": "orders", "message": message}
    assert event_from_body(7, "LOG", "r1", 1.5, event_body(event)) == event


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert event_from_body(7, "LOG", "r1", 1.5, '{"step": "a", "colour": "red"}') == Event("LOG", "r1", 1.5, "a", storage_id=7)


@pytest.mark.parametrize(("given", "kept"), [((1, 2), [1, 2]), (EnvVar("TOKEN"), "TOKEN"), ({1: object}, {"1": str(object)})])
def test_configuration_is_kept_as_far_as_json_goes(given: Any, kept: Any) -> None:
    body = run_body(RunRecord("r1", "QUEUED", 0.0, config={"value": given}))

    assert run_from_body("r1", "QUEUED", 0.0, None, None, None, None, None, body).config == {"value": kept}


def test_what_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(InstanceError, match="cannot be written as JSON"):
        run_body(RunRecord("r1", "QUEUED", 0.0, config={("a", "b"): 1}))


def test_what_is_not_json_is_an_error() -> None:
    with pytest.raises(InstanceError, match=r"not JSON: '\{\"step'"):
        event_from_body(7, "LOG", "r1", 1.5, '{"step')


@pytest.mark.parametrize("one", ["a\0b", "a\\0b", "a/0b", "a\\\0b"])
@pytest.mark.parametrize("other", ["a0b", "ab", "a\\\\0b"])
def test_no_two_keys_share_a_text(one: str, other: str) -> None:
    assert key_text(AssetKey(one)) != key_text(AssetKey(other))
    assert "\0" not in key_text(AssetKey(one))


@pytest.mark.parametrize(
    "metadata", [{}, METADATA, {"nan": MetadataValue.float(float("nan"))}], ids=["none", "all kinds", "NaN"]
)
def test_what_was_recorded_with_a_table_is_read_when_it_is_looked_at(metadata: dict[str, MetadataValue]) -> None:
    event = Event("ASSET_OBSERVATION", "r1", 1.5, "s", "seen", AssetObservation(ORDERS, "d", metadata, "mon", {"a": "1"}))

    again = event_from_body(7, event.event_type, "r1", 1.5, event_body(event))

    assert repr(again) == repr(replace(event, storage_id=7))
    assert repr(pickle.loads(pickle.dumps(again))) == repr(again)
