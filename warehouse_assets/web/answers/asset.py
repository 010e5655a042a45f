"""What the code of a location says of one asset: its source, what goes in and out, its manager, resources and configuration."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.asset_settings import ConfigField, SettingsFacts, config_fields, settings_of, shown

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.functions import UserFunction
    from warehouse_assets.graph.asset_graph import AssetNode

__all__ = ["AssetRequest", "AssetSource", "Code", "DeclaredCheck", "DeclaredColumn", "InputFacts", "asset_source"]


_DOTTED = re.compile(r"((?:\w+\.)+)(\w+)")
_SHORT = {"polars": "pl.", "pyarrow": "pa.", "pandas": "pd.", "duckdb": "duckdb."}


class AssetRequest(msgspec.Struct, frozen=True):
    """Which asset is asked about, by the segments of its key."""

    key: tuple[str, ...]


class Code(msgspec.Struct, frozen=True):
    """A piece of source: `language` is "python" or "sql", and `line` where its first line is in `file`."""

    title: str
    language: str
    text: str
    file: str = ""
    line: int = 1


class InputFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One table that the asset is made from: the argument that it fills (none: it only has to be there), and as which type."""

    key: tuple[str, ...]
    argument: str | None = None
    type: str | None = None
    part: str | None = None
    partitions: str | None = None
    manager: str | None = None


class DeclaredColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column that the asset promises, or describes."""

    name: str
    type: str | None = None
    description: str | None = None


class DeclaredCheck(msgspec.Struct, frozen=True, omit_defaults=True):
    """A check of the asset as it was declared."""

    name: str
    description: str | None = None
    blocking: bool = False
    place: str = ""
    needs: tuple[tuple[str, ...], ...] = ()
    by_asset: bool = False


class AssetSource(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is declared of an asset beside what every page knows of it. `metadata` is JSON as of `metadata_to_json`."""

    kind: str
    codes: tuple[Code, ...] = ()
    inputs: tuple[InputFacts, ...] = ()
    output_type: str | None = None
    together: tuple[tuple[str, ...], ...] = ()
    manager: SettingsFacts | None = None
    table_place: str | None = None
    table_options: tuple[tuple[str, str], ...] = ()
    columns: tuple[DeclaredColumn, ...] = ()
    resources: tuple[SettingsFacts, ...] = ()
    config: tuple[ConfigField, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    op_tags: tuple[tuple[str, str], ...] = ()
    metadata: Mapping[str, Any] = {}
    checks: tuple[DeclaredCheck, ...] = ()


def asset_source(definitions: Definitions, request: AssetRequest) -> AssetSource:
    """What the definition of an asset says. Nothing is run, and no store is looked into."""
    graph = definitions.graph
    node = graph[AssetKey(request.key)]
    definition = node.definition
    function = _function_of(node)
    resource_names = (
        sorted({*definition.required_resource_keys, *function.resource_parameters}) if definition and function else ()
    )
    return AssetSource(
        kind=_kind(node),
        codes=tuple(_codes(node, function)),
        inputs=tuple(_inputs(definitions, node)),
        output_type=_type_text(function, "return") if function is not None else None,
        together=tuple(key.path for key in sorted(definition.keys) if key != node.key) if definition is not None else (),
        manager=_manager(definitions, node),
        table_place=_table_place(definitions, node),
        table_options=tuple(_table_options(node)),
        columns=tuple(_columns(node)),
        resources=tuple(settings_of(name, _resource(definitions, node, name)) for name in resource_names),
        config=config_fields(function) if function is not None else (),
        facts=tuple(_facts(definitions, node)),
        op_tags=tuple((str(name), shown(name, value)) for name, value in definition.op_tags.items()) if definition else (),
        metadata=_metadata(node),
        checks=tuple(_checks(definitions, node)),
    )


def _kind(node: AssetNode) -> str:
    if node.definition is None:
        return "observable source" if node.source is not None and node.source.observe_function is not None else "source"
    if node.definition.graph is not None:
        return "graph of ops"
    if len(node.definition.keys) > 1:
        return "one of several assets of a function"
    return "query" if node.definition.sql is not None else "function"


def _function_of(node: AssetNode) -> UserFunction | None:
    if node.definition is not None:
        return node.definition.function
    return node.source.observe_function if node.source is not None else None


def _codes(node: AssetNode, function: UserFunction | None) -> Iterator[Code]:
    """The query, or the function and, of a graph, those of its ops."""
    definition = node.definition
    if definition is not None and definition.sql is not None:
        sql = definition.sql
        file, line = sql.made
        yield Code("Query", "sql", textwrap.dedent(sql.written.strip("\n").rstrip()), file, line)
        return
    if definition is not None and definition.graph is not None:
        yield from _codes_of_graph(definition, node)
        return
    if function is not None and (code := _python(function, "Function" if definition is not None else "Observed by")):
        yield code


def _codes_of_graph(definition: AssetsDefinition, node: AssetNode) -> Iterator[Code]:
    if (graph := definition.graph) is None or node.output is None:
        return
    for part in graph.nodes_for([node.output.name]):
        function = getattr(part.op, "function", None)
        if function is not None and (code := _python(function, f"Op {part.name}")):
            yield code


def _python(function: UserFunction, title: str) -> Code | None:
    try:
        lines, line = inspect.getsourcelines(inspect.unwrap(function.fn))
    except (OSError, TypeError):  # typed in at a prompt, or not written in Python
        return None
    return Code(title, "python", inspect.cleandoc("\n" + "".join(lines)), function.place.file, line)


def _inputs(definitions: Definitions, node: AssetNode) -> Iterator[InputFacts]:
    definition, graph = node.definition, definitions.graph
    if definition is None:
        return
    mappings = {dep.asset_key: dep.partition_mapping for dep in node.spec.deps}
    filled: set[AssetKey] = set()
    for argument, key in graph.bindings[definition].items():
        declared = definition.ins.get(argument)
        mapping = declared.partition_mapping if declared is not None else None
        part = ", ".join(f"{name} {shown(name, value)}" for name, value in declared.metadata.items()) if declared else ""
        filled.add(key)
        yield InputFacts(
            key.path,
            argument,
            _type_text(definition.function, argument),
            part or None,
            None if mapping is None else _said(mapping),
            declared.input_manager_key if declared is not None else None,
        )
    for key in node.parents:
        if key not in filled:
            mapping = mappings.get(key)
            yield InputFacts(key.path, partitions=None if mapping is None else _said(mapping))


def _type_text(function: UserFunction, name: str) -> str | None:
    """An annotation as it was written, as far as that is known; one that cannot be resolved is no fault here."""
    try:
        annotation = function.annotation(name)
    except Exception:  # noqa: BLE001 - whatever an annotation raises, the page is there to show the code
        return "not resolved"
    if annotation is None:
        return "None" if name == "return" and function.returns_nothing else None
    is_class = isinstance(annotation, type) and not hasattr(annotation, "__args__")
    text = (
        annotation
        if isinstance(annotation, str)
        else f"{annotation.__module__}.{annotation.__qualname__}"
        if is_class
        else str(annotation)
    )
    return _DOTTED.sub(lambda found: _SHORT.get(found[1].partition(".")[0], "") + found[2], text)


def _manager(definitions: Definitions, node: AssetNode) -> SettingsFacts | None:
    if node.output is not None and not node.output.stored:
        return None
    return settings_of(node.io_manager_key, _resource(definitions, node, node.io_manager_key))


def _resource(definitions: Definitions, node: AssetNode, name: str) -> Any:
    if node.io_manager_def is not None and name == node.io_manager_key:
        return node.io_manager_def
    own = node.definition.resource_defs if node.definition is not None else {}
    return definitions.resources.get(name, own.get(name))


def _table_place(definitions: Definitions, node: AssetNode) -> str | None:
    """Where the store says that the table is; asked of a manager as it was declared, so that nothing is opened."""
    from warehouse_assets.io_manager.powers import PlacesTables

    manager = _resource(definitions, node, node.io_manager_key)
    if not isinstance(manager, PlacesTables) or (node.output is not None and not node.output.stored):
        return None
    try:
        return shown("place", manager.place_of(node.key, node.spec.metadata))
    except Exception:  # noqa: BLE001 - a setting that comes from the environment is not there yet
        return None


def _table_options(node: AssetNode) -> Iterator[tuple[str, str]]:
    options = node.spec.table
    if options is None:
        return
    for field in ("mode", "materialized", "partition_expr", "sort_by", "schema_policy", "keep_versions", "schema"):
        value = getattr(options, field)
        if value not in (None, (), "table") and not (field == "mode" and str(value) == "replace"):
            yield field.replace("_", " "), ", ".join(value) if isinstance(value, tuple) else str(value)


def _columns(node: AssetNode) -> Iterator[DeclaredColumn]:
    """The columns of the contract, and those that are only described."""
    options = node.spec.table
    if options is None:
        return
    said = dict(options.descriptions or {})
    declared = options.columns
    if isinstance(declared, type):
        pairs: Any = inspect.get_annotations(declared).items()
    elif isinstance(declared, Mapping):
        pairs = declared.items()
    else:
        pairs = ((field.name, field.type) for field in declared or ())
    for name, kind in pairs:
        text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
        yield DeclaredColumn(str(name), text, said.pop(name, None))
    for name, text in said.items():
        yield DeclaredColumn(name, None, text)


def _facts(definitions: Definitions, node: AssetNode) -> Iterator[tuple[str, str]]:
    spec, definition = node.spec, node.definition
    if spec.code_version is not None:
        from warehouse_assets.graph.code.versions import CodeVersions

        now = CodeVersions(definitions.graph.resources)(node)
        yield "code version", spec.code_version if now in (None, spec.code_version) else f"{spec.code_version}: {now}"
    if spec.data_version is not None:
        yield "data version", f"from the {spec.data_version} of the table"
    if spec.partitions_def is not None:
        yield "partitions", str(spec.partitions_def)
    if definition is None:
        return
    if definition.pool is not None:
        yield "pool", definition.pool
    if (retry := definition.retry_policy) is not None:
        yield "retry policy", _retry_text(retry)
    if (backfill := definition.backfill_policy) is not None:
        at_once = backfill.max_partitions_per_run
        yield "backfill policy", "all partitions in one run" if at_once is None else f"up to {at_once} partitions in one run"
    if spec.skippable:
        yield "output", "may be left out by the function"


def _retry_text(policy: Any) -> str:
    parts = [f"{policy.max_retries} {'retry' if policy.max_retries == 1 else 'retries'}"]
    parts += [f"after {policy.delay:g} s"] if policy.delay is not None else []
    parts += [
        f"{name.name.lower().replace('_', ' ')} {what}"
        for name, what in ((policy.backoff, "backoff"), (policy.jitter, "jitter"))
        if name
    ]
    return ", ".join(parts)


def _metadata(node: AssetNode) -> dict[str, Any]:
    """The definition metadata; what cannot be recorded is shown as text."""
    from warehouse_assets.definitions.table_parts import TABLE_OPTIONS
    from warehouse_assets.errors import InvalidMetadataError
    from warehouse_assets.metadata import MetadataValue, metadata_to_json

    found: dict[str, MetadataValue] = {}
    for name, value in node.spec.metadata.items():
        if name == TABLE_OPTIONS:
            continue
        try:
            found[str(name)] = MetadataValue.of(value)
        except InvalidMetadataError:
            found[str(name)] = MetadataValue.text(shown(name, value))
    return metadata_to_json(found)


def _checks(definitions: Definitions, node: AssetNode) -> Iterator[DeclaredCheck]:
    for key, check in definitions.graph.checks.items():
        if key.asset_key == node.key:
            yield DeclaredCheck(
                key.name,
                check.spec.description,
                check.spec.blocking,
                str(check.place),
                tuple(sorted(need.path for need in check.needs)),
                check.owner is not None,
            )


def _said(mapping: Any) -> str:
    text = str(mapping)
    return text if not text.startswith("<") else type(mapping).__name__
