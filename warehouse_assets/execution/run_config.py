"""The configuration of a run: validated whole, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.definitions.invocation import config_object
from warehouse_assets.errors import InvalidConfigError, InvalidDefinitionError, close_matches
from warehouse_assets.execution.plan import Plan, Step
from warehouse_assets.resources import Resource

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.checks import AssetChecksDefinition
    from warehouse_assets.definitions.graphs import GraphDefinition

__all__ = ["CoercibleToRunConfig", "RunConfig", "configurable_names", "configured_resource", "validate_run_config"]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Configuration by the name of what it is for: `ops` by asset, `resources` by resource; a Config object or a plain dict each.

    The plain form is `{"ops": {"orders": {"config": {…}}}, "resources": {"io_manager": {"config": {…}}}}`; the ops of a graph are
    configured as `{"ops": {"orders": {"ops": {"clean": {"config": {…}}}}}}`, or by a RunConfig in place of a Config.
    """

    ops: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: CoercibleToRunConfig) -> RunConfig:
        """The configuration meant by a RunConfig, the plain dict, or None."""
        if value is None:
            return cls()
        if isinstance(value, RunConfig):
            return value
        if not isinstance(value, Mapping):
            raise InvalidConfigError(f"run configuration is a RunConfig or a dict, not {value!r}")
        if unknown := value.keys() - {"ops", "resources"}:
            wrong = min(map(str, unknown))
            hint = close_matches(wrong, ["ops", "resources"]) or 'It has "ops" and "resources".'
            raise InvalidConfigError(f"run configuration has no section {wrong!r}", hint=hint)
        return cls(*(_sections(name, value.get(name)) for name in ("ops", "resources")))

    def to_dict(self) -> dict[str, Any]:
        """The plain form, as the record of the run keeps it: without that of resources, which may hold secrets."""
        return {"ops": {name: _plain(config) for name, config in self.ops.items()}} if self.ops else {}


CoercibleToRunConfig: TypeAlias = "RunConfig | Mapping[str, Any] | None"
Configurable: TypeAlias = "AssetsDefinition | AssetChecksDefinition"


def _sections(name: str, section: Any) -> dict[str, Any]:
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise InvalidConfigError(f"the section {name!r} of the run configuration is not a mapping")
    configs = {}
    for key, entry in section.items():
        if name != "resources":
            entry = _unfolded(f"{name}.{key}", entry)
        if isinstance(entry, Mapping):
            if unknown := entry.keys() - {"config"}:
                raise InvalidConfigError(
                    f"run configuration: {name}.{key} has the entry {min(map(str, unknown))!r}, where only 'config' is known",
                    hint=f'Write {{"{name}": {{"{key}": {{"config": {{…}}}}}}}}.',
                )
            entry = entry.get("config", {})
        configs[str(key)] = entry
    return configs


def _unfolded(name: str, value: Any) -> Any:
    """The configuration of a graph as a RunConfig where it is given in the plain form; anything else as it is."""
    is_plain = isinstance(value, Mapping) and value.keys() == {"ops"} and isinstance(value["ops"], Mapping)
    return RunConfig(_sections(f"{name}.ops", value["ops"])) if is_plain else value


def _plain(config: Any) -> dict[str, Any]:
    if isinstance(config, RunConfig):
        return config.to_dict()
    dump = getattr(config, "model_dump", None)
    return {"config": dump(mode="json") if callable(dump) else config}


def validate_run_config(plan: Plan, config: RunConfig, resources: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration object of each step that takes one, by step key, and the resources with theirs; all faults at once.

    Raises InvalidConfigError: unknown and missing fields, values of a wrong type, names of no asset or resource.
    """
    faults: list[str] = []
    configurable = configurable_names(plan) if config.ops else {}
    given: dict[Configurable, Any] = {}
    for name, value in config.ops.items():
        if name in configurable:
            given[configurable[name]] = value
        else:
            hint = close_matches(name, list(configurable)) or ""
            faults.append(f"it configures {name!r}, which is no asset of this run. {hint}")
    configured = dict(resources)
    for name, value in config.resources.items():
        try:
            configured[name] = configured_resource(name, resources, value)
        except InvalidConfigError as error:
            faults.append(str(error))
    configs: dict[str, Any] = {}
    for step in plan.steps:
        try:
            if (built := _step_config(step, given)) is not None:
                configs[step.key] = built
            for call in step.checks.calls if step.checks.guards else ():
                if (
                    built := config_object(call.definition.function, given.get(call.definition), f"check {call.key!r}")
                ) is not None:
                    configs[call.key] = built
        except (InvalidConfigError, InvalidDefinitionError) as error:
            faults.append(str(error))
    if faults:
        text = faults[0] if len(faults) == 1 else "\n" + "\n".join(f"  - {fault.strip()}" for fault in faults)
        raise InvalidConfigError(f"the run configuration does not fit: {text.strip(' ')}")
    return configs, configured


def configurable_names(plan: Plan) -> dict[str, Configurable]:
    """What each name stands for in the configuration of ops: an asset's key, or the name of a step, check or function."""
    names: dict[str, Configurable] = {}
    for step in plan.steps:
        own = {step.key, step.definition.node_name, *(key.to_user_string() for key in step.asset_keys)}
        names.update(dict.fromkeys(own, step.definition))
        names.update({call.key: call.definition for call in step.checks.calls})
    return names


def configured_resource(name: str, resources: Mapping[str, Any], config: Any) -> Any:
    """The resource of this name with its configuration; InvalidConfigError where there is none, or it takes none."""
    if name not in resources:
        hint = close_matches(name, list(resources))
        raise InvalidConfigError(f"it configures the resource {name!r}, which is not given", hint=hint)
    resource = resources[name]
    configure = getattr(resource, "with_config", None) or getattr(resource, "configured", None)
    if not isinstance(resource, Resource) or configure is None:
        raise InvalidConfigError(f"the resource {name!r} takes no configuration")
    return configure(config)


def _step_config(step: Step, given: Mapping[Configurable, Any]) -> Any:
    if step.definition.graph is not None:
        return _graph_config(step, step.definition.graph, given.get(step.definition))
    value, function = given.get(step.definition), step.definition.function
    if value is None and function.config_parameter is None:
        return None
    who = f"asset {step.asset_keys[0].to_user_string()!r}" if step.outputs else f"check {step.key!r}"
    if isinstance(value, RunConfig):
        raise InvalidConfigError(f"{who} is made by no graph, and has no ops to configure")
    return config_object(function, value, who)


def _graph_config(step: Step, graph: GraphDefinition, value: Any) -> dict[str, Any]:
    """The configuration object of each op that runs and takes one, by its name in the graph."""
    who = f"graph {graph.name!r}"
    value = _unfolded(graph.name, value)
    if value and not isinstance(value, RunConfig):
        raise InvalidConfigError(
            f"{who} takes no configuration itself; its ops do", hint='Write {"ops": {"op": {"config": {…}}}}.'
        )
    given = dict(_flat(value)) if value else {}
    names = list(graph.nodes)
    faults = [
        f"{who} has no op {name!r}. {close_matches(name, names) or f'It has {names}.'}" for name in given if name not in names
    ]
    configs = {}
    for node in graph.nodes_for([output.name for output in step.outputs]):
        try:
            if (built := config_object(node.op.function, given.get(node.name), f"op {node.name!r} of {who}")) is not None:
                configs[node.name] = built
        except InvalidConfigError as error:
            faults.append(str(error))
    if faults:
        raise InvalidConfigError("; ".join(faults))
    return configs


def _flat(config: RunConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The configuration of ops, also of those in inner graphs, by the name that each has in the whole."""
    for name, value in config.ops.items():
        value = _unfolded(prefix + name, value)
        if isinstance(value, RunConfig):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
