"""The settings of managers and resources, and the fields of a configuration, as a page may show them: without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from warehouse_assets.definitions.functions import UserFunction

__all__ = ["ConfigField", "SettingsFacts", "config_fields", "settings_of", "shown"]

HIDDEN = "•••"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|pwd|secret|token|credential|api_?key|private|access_?key|account_?key|sas|auth", re.IGNORECASE
)
_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
_IN_TEXT = re.compile(
    r"(?i)\b((?:password|passwd|pwd|secret|token|api_?key|access_?key|account_?key|sig|signature)\s*=\s*)([^\s&;,]+)"
)
_LONGEST = 400


class SettingsFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """A manager or resource: its name, its type, and its settings as text."""

    name: str
    type: str
    settings: tuple[tuple[str, str], ...] = ()
    description: str | None = None


class ConfigField(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field that a run may configure; `default` is None where it has to be given."""

    name: str
    type: str
    default: str | None = None
    description: str | None = None


def shown(name: Any, value: Any) -> str:
    """A value as text, in which secrets are hidden: what a name says is one, passwords in URLs and connection strings.

    >>> shown("url", "postgresql://me:hush@host/db?sslpassword=x"), shown("api_key", "hush")
    ('postgresql://•••@host/db?sslpassword=x', '•••')
    """
    text = _text(str(name), value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _text(name: str, value: Any) -> str:
    from warehouse_assets.resources import EnvVar

    if isinstance(value, EnvVar):
        return f"environment variable {value.name}"
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    if _SECRET_NAME.search(name):
        return HIDDEN if value else "(empty)"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(str(key), item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(_text(name, item) for item in value) or "(none)"
    if isinstance(value, str):
        return _IN_TEXT.sub(rf"\1{HIDDEN}", _IN_URL.sub(f"{HIDDEN}@", value))
    if callable(value):
        return str(getattr(value, "__qualname__", type(value).__name__))
    return _IN_TEXT.sub(rf"\1{HIDDEN}", _IN_URL.sub(f"{HIDDEN}@", repr(value)))


def settings_of(name: str, resource: Any) -> SettingsFacts:
    """What is set of a manager or resource. Of one that people configure the fields that were given; of others the type alone."""
    if resource is None:
        return SettingsFacts(name, "the default I/O manager", (), "files in the folder of the record")
    kind = type(resource).__name__
    fields = getattr(type(resource), "model_fields", None)
    if fields is None:
        function = getattr(resource, "resource_fn", None)
        return SettingsFacts(name, getattr(function, "__name__", kind), (), getattr(resource, "description", None))
    given = resource.model_fields_set
    variables = getattr(resource, "_from_environment", {})
    settings = tuple(
        (field, shown(field, variables.get(field, getattr(resource, field)))) for field in fields if field in given
    )
    return SettingsFacts(name, kind, settings)


def config_fields(function: UserFunction) -> tuple[ConfigField, ...]:
    """The fields of the class that the `config` argument of a function is annotated with."""
    try:
        parameter = function.config_parameter
    except Exception:  # noqa: BLE001 - an annotation that cannot be resolved is told elsewhere
        return ()
    if parameter is None:
        return ()
    fields = getattr(parameter[1], "model_fields", None)
    if fields is None:
        return (ConfigField(parameter[0], "any mapping", "{}"),)
    return tuple(
        ConfigField(
            field.alias or name,
            _type_name(field.annotation),
            None if field.is_required() else shown(name, field.get_default(call_default_factory=True)),
            field.description,
        )
        for name, field in fields.items()
    )


def _type_name(annotation: Any) -> str:
    return (
        annotation.__name__
        if isinstance(annotation, type) and not hasattr(annotation, "__args__")
        else str(annotation).replace("typing.", "")
    )
