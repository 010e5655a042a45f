"""The form of a configuration: fields from its JSON schema, what was written in them, and what is wrong with that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warehouse_assets.errors import InvalidConfigError
from warehouse_assets.web.answers.asset_settings import shown as hidden
from warehouse_assets.web.answers.launch import ConfigOf

__all__ = ["Field", "Section", "config_from", "is_told_by_fields", "sections"]

_KINDS = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}
_TEXTS = ("text", "choice", "secret")
_WANTED = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a configuration as a form shows it: a kind of input, or JSON as text; and what is wrong with its value."""

    name: str
    label: str
    kind: str
    value: str
    required: bool
    description: str
    choices: Sequence[str] = ()
    fault: str = ""
    default: Any = None


@dataclass(frozen=True, slots=True)
class Section:
    """The fields of the configuration of one step."""

    name: str
    fields: Sequence[Field]


def is_told_by_fields(message: str, shown: Sequence[Section]) -> bool:
    """Whether all of the message of an error stands beside fields."""
    return message.count("field ") == sum(bool(field.fault) for section in shown for field in section.fields) > 0


def sections(configs: Sequence[ConfigOf], given: Mapping[str, Any], message: str = "") -> list[Section]:
    """The fields of these configurations, with what was written in them, and their parts of the message of an error."""
    return [Section(config.name, list(_fields(config, given, message))) for config in configs]


def config_from(configs: Sequence[ConfigOf], given: Mapping[str, Any]) -> dict[str, Any]:
    """The run configuration that is written in a form, without what is so anyway; InvalidConfigError for what cannot be read."""
    ops: dict[str, Any] = {}
    faults = []
    for config in configs:
        values: dict[str, Any] = {}
        for field in _fields(config, {}):
            text = given.get(f"config:{config.name}:{field.name}")
            if text is None or (str(text).strip() == "" and field.kind not in _TEXTS):
                continue
            try:
                read = _value(str(text), field)
            except ValueError as error:
                faults.append(f"asset {config.name!r}: field {field.name!r}: {error}, not {text!r}")
                continue
            if field.name == "":
                values |= read
            elif field.kind == "secret" and read == "":
                values |= {name: value for name, value in config.given.items() if name == field.name}
            elif field.required or field.name in config.given or read != field.default:
                values[field.name] = read
        if values and values != config.given:
            ops[config.name] = {"config": values}
    if faults:
        raise InvalidConfigError("\n".join(faults))
    return {"ops": ops} if ops else {}


def _fields(config: ConfigOf, written: Mapping[str, Any], message: str = "") -> Iterator[Field]:
    schema = config.schema
    for name, property_ in schema.get("properties", {}).items():
        kind, choices = _kind(property_, schema)
        if kind == "text" and hidden(name, "text") != "text":
            kind = "secret"
        default = property_.get("default")
        if default is None and kind in _TEXTS:
            default = ""
        value = config.given.get(name, default)
        shown = "" if value is None or kind == "secret" else value if isinstance(value, str) else _json(value)
        yield Field(
            name,
            property_.get("title", name),
            kind,
            str(written.get(f"config:{config.name}:{name}", shown)),
            name in schema.get("required", ()),
            property_.get("description", ""),
            choices,
            _fault(message, config.name, name),
            "" if kind == "secret" else default,
        )
    if schema.get("additionalProperties") is True:
        text = str(written.get(f"config:{config.name}:", _json(config.given) if config.given else ""))
        yield Field("", "Configuration", "json", text, False, "A JSON object.", (), _fault(message, config.name, ""))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _kind(property_: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The input that fits a property of a JSON schema, and what can be chosen."""
    if "$ref" in property_:
        property_ = schema.get("$defs", {}).get(property_["$ref"].rpartition("/")[2], {})
    others = [one for one in property_.get("anyOf", ()) if one.get("type") != "null"]
    if len(others) == 1:  # it may be left out
        return _kind(others[0], schema)
    if "enum" in property_ and all(isinstance(one, str) for one in property_["enum"]):
        return "choice", list(property_["enum"])
    if property_.get("writeOnly") or property_.get("format") == "password":
        return "secret", []
    return _KINDS.get(str(property_.get("type")), "json"), []


def _value(text: str, field: Field) -> Any:
    """What is written in a field; ValueError with what it is to be."""
    if field.kind in _TEXTS:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        raise ValueError(f"is to be {_WANTED.get(field.kind, 'JSON')}") from None
    if field.name == "" and not isinstance(value, dict):
        raise ValueError("is to be a JSON object")
    return value


def _fault(message: str, section: str, name: str) -> str:
    """The part of the message of an error that is about a field."""
    for line in message.splitlines():
        if repr(section) not in line:
            continue
        if f"missing field {name!r}" in line:
            return "is missing"
        if found := re.search(rf"field {re.escape(repr(name))}: (.*?)(?=; (?:field|missing field|unknown field) |$)", line):
            return found[1]
    return ""
