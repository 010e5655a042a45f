"""`Config` and `ConfigurableResource`: what people configure, as pydantic models. Imported on first use."""

from __future__ import annotations

import operator
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, field_validator

from warehouse_assets.errors import InvalidConfigError, ResourceError, close_matches
from warehouse_assets.resources import EnvVar, InitResourceContext, Resource

__all__ = ["Config", "ConfigurableResource", "PermissiveConfig", "describe_validation_error"]


class Config(BaseModel):
    """The configuration of an asset: annotate a parameter with a subclass, and the run's configuration fills it.

    Unknown fields are refused, and the values cannot be changed.
    """

    asset_parameter: ClassVar[str] = "config"

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class PermissiveConfig(Config):
    """A configuration that takes fields it does not declare."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ConfigurableResource(BaseModel, Resource):
    """A resource whose fields people configure; a field may be given as an `EnvVar`, and resources may nest.

    The run works on a copy with all environment variables read and validated. Values that came from the environment never appear
    in a repr.
    """

    asset_parameter: ClassVar[str] = "resource"

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    _from_environment: dict[str, Any] = PrivateAttr(default_factory=dict)

    @field_validator("*", mode="wrap")
    @classmethod
    def _postpone_environment(cls, value: Any, validate: Any) -> Any:
        return value if _holds_variables(value) else validate(value)

    def resolve(self) -> Self:
        from_environment = dict(self._from_environment)
        values: dict[str, Any] = {}
        changed = False
        for name in type(self).model_fields:
            value = getattr(self, name)
            if _holds_variables(value):
                from_environment[name] = value
            try:
                resolved = _resolved(value)
            except ResourceError as error:
                raise ResourceError(f"resource {type(self).__name__}, field {name!r}: {error.message}") from None
            changed = changed or resolved is not value
            if name in self.model_fields_set or resolved is not value:
                values[name] = resolved
        return self._build(values, from_environment) if changed else self

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Generator[Any]:
        with ExitStack() as stack:
            for name in type(self).model_fields:
                if isinstance(nested := getattr(self, name), Resource):
                    stack.enter_context(nested.yield_for_execution(context))
            yield stack.enter_context(super().yield_for_execution(context))

    def with_config(self, config: Mapping[str, Any] | BaseModel) -> Self:
        """A copy with some fields replaced, validated; an object stands for the fields that were set in it."""
        if not isinstance(config, (Mapping, BaseModel)):
            raise InvalidConfigError(f"resource {type(self).__name__}: its configuration is a mapping, not {_short(config)}")
        changes = config if isinstance(config, Mapping) else _fields_set(config)
        return self._build({**_fields_set(self), **changes}, self._from_environment)

    def _build(self, values: Mapping[str, Any], from_environment: Mapping[str, Any]) -> Self:
        fields = type(self).model_fields
        aliases = {name: field.alias for name, field in fields.items() if field.alias}
        try:
            built = type(self)(**{aliases.get(name, name): value for name, value in values.items()})
        except ValidationError as error:
            known = [aliases.get(name, name) for name in fields]
            what = describe_validation_error(error, known=known, hide=from_environment)
            raise InvalidConfigError(f"resource {type(self).__name__}: {what}") from None
        built._from_environment.update(from_environment)
        return built

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        fields, hidden = type(self).model_fields, self._from_environment
        for name, value in super().__repr_args__():
            alias = fields[name].alias if name in fields else None
            yield alias or name, hidden.get(name or "", value)


def _fields_set(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.model_fields_set}


def _holds_variables(value: Any) -> bool:
    if isinstance(value, (dict, list, tuple)):
        return any(map(_holds_variables, value.values() if isinstance(value, dict) else value))
    return isinstance(value, EnvVar)


def _resolved(value: Any) -> Any:
    """The value with variables read and resources resolved, also inside of dicts, lists and tuples; itself where there are none."""
    if isinstance(value, EnvVar):
        return value.get_value()
    if isinstance(value, Resource):
        return value.resolve()
    if isinstance(value, dict):
        pairs = {key: _resolved(item) for key, item in value.items()}
        return pairs if any(pairs[key] is not item for key, item in value.items()) else value
    if isinstance(value, (list, tuple)):
        items = [_resolved(item) for item in value]
        return type(value)(items) if any(map(operator.is_not, items, value)) else value
    return value


def describe_validation_error(error: ValidationError, *, known: Iterable[str] = (), hide: Iterable[str] = ()) -> str:
    """What is wrong with each field, in one line: unknown fields with the close ones among `known`, no values of those in `hide`."""
    hidden, fields = set(hide), list(known)
    faults = []
    for fault in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in fault["loc"]) or "value"
        if fault["type"] == "extra_forbidden":
            guess = close_matches(name, fields, intro="did you mean") or f"there is {', '.join(map(repr, fields)) or 'none'}"
            faults.append(f"unknown field {name!r} ({guess})")
        elif fault["type"] == "missing":
            faults.append(f"missing field {name!r}")
        else:
            given = "" if fault["loc"] and fault["loc"][0] in hidden else f", not {_short(fault['input'])}"
            faults.append(f"field {name!r}: {_lower_first(fault['msg'])}{given}")
    return "; ".join(faults)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
