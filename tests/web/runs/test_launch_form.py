from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets.errors import InvalidConfigError
from warehouse_assets.web.answers.launch import ConfigOf
from warehouse_assets.web.views.launch_form import config_from, is_told_by_fields, sections

SCHEMA: dict[str, Any] = {
    "properties": {
        "rows": {"type": "integer", "default": 3, "title": "Rows"},
        "label": {"type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "mode": {"$ref": "#/$defs/Mode", "default": "full"},
        "names": {"type": "array", "items": {"type": "string"}, "default": ["ä"]},
        "key": {"type": "string", "writeOnly": True, "format": "password", "default": "**********"},
    },
    "required": ["label"],
    "$defs": {"Mode": {"enum": ["full", "delta"], "type": "string"}},
}
ORDERS = ConfigOf("staging/orders", SCHEMA, required=True)


def written(**values: str) -> dict[str, str]:
    return {f"config:staging/orders:{name}": value for name, value in values.items()}


def test_fields_are_made_from_the_schema() -> None:
    (section,) = sections([ORDERS], {})

    assert [(field.name, field.kind, field.value, field.required) for field in section.fields] == [
        ("rows", "integer", "3", False),
        ("label", "text", "", True),
        ("note", "text", "", False),
        ("mode", "choice", "full", False),
        ("names", "json", '["ä"]', False),
        ("key", "secret", "", False),
    ]


def test_what_is_so_anyway_is_not_said() -> None:
    same = written(rows="3", label="x", note="", mode="full", names='["ä"]', key="")
    other = written(rows="", label="x", note="n", mode="delta", names="[]", key="s3cret")

    assert config_from([ORDERS], same) == {"ops": {"staging/orders": {"config": {"label": "x"}}}}
    assert config_from([ORDERS], other) == {
        "ops": {"staging/orders": {"config": {"label": "x", "note": "n", "mode": "delta", "names": [], "key": "s3cret"}}}
    }


def test_what_a_job_says_is_shown_and_replaced_as_a_whole() -> None:
    of_job = ConfigOf("staging/orders", SCHEMA, required=False, given={"label": "job", "rows": 9})
    (section,) = sections([of_job], {})
    shown = {field.name: field.value for field in section.fields}

    assert (shown["rows"], shown["label"]) == ("9", "job")
    assert config_from([of_job], written(**shown)) == {}
    assert config_from([of_job], written(**shown | {"rows": "3"})) == {
        "ops": {"staging/orders": {"config": {"rows": 3, "label": "job"}}}
    }


def test_a_secret_of_a_job_is_kept_and_not_shown() -> None:
    of_job = ConfigOf("staging/orders", SCHEMA, required=False, given={"label": "job", "key": "hush"})
    (section,) = sections([of_job], {})
    shown = {field.name: field.value for field in section.fields}

    assert shown["key"] == ""
    assert config_from([of_job], written(**shown)) == {}
    assert config_from([of_job], written(**shown | {"rows": "4"}))["ops"]["staging/orders"]["config"]["key"] == "hush"


def test_any_configuration_is_a_json_object() -> None:
    anything = ConfigOf("staging/orders", {"type": "object", "additionalProperties": True}, required=False)

    assert config_from([anything], {"config:staging/orders:": '{"a": 1}'}) == {"ops": {"staging/orders": {"config": {"a": 1}}}}
    with pytest.raises(InvalidConfigError, match="is to be a JSON object"):
        config_from([anything], {"config:staging/orders:": "[1]"})


def test_faults_stand_beside_their_fields() -> None:
    given = written(rows="many", label="x", names="[")
    with pytest.raises(InvalidConfigError) as refused:
        config_from([ORDERS], given)
    shown = sections([ORDERS], given, refused.value.message)
    faults = {field.name: field.fault for field in shown[0].fields if field.fault}

    assert faults == {"rows": "is to be a whole number, not 'many'", "names": "is to be JSON, not '['"}
    assert is_told_by_fields(refused.value.message, shown)


def test_faults_that_a_run_finds_stand_beside_their_fields_too() -> None:
    message = (
        "the run configuration does not fit: asset 'staging/orders': field 'rows': input should be greater than 0, not -1; "
        "missing field 'label'; unknown field 'row' (did you mean 'rows'?)"
    )
    shown = sections([ORDERS], {}, message)
    faults = {field.name: field.fault for field in shown[0].fields if field.fault}

    assert faults == {"rows": "input should be greater than 0, not -1", "label": "is missing"}
    assert not is_told_by_fields(message, shown)
