"""What a code location declares, as plain values that another process, of any Python, can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.graph.asset_graph import AssetNode

__all__ = ["PROTOCOL", "Answer", "AssetFacts", "LocationFacts", "NamedFacts", "Request", "partition_keys", "snapshot"]

PROTOCOL = 2  # one more with each change that an older or newer version would misunderstand


class AssetFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """An asset or source. Keys are lists of segments."""

    key: tuple[str, ...]
    is_executable: bool
    group: str
    place: str
    parents: tuple[tuple[str, ...], ...] = ()
    description: str | None = None
    kinds: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    code_version: str | None = None
    io_manager: str | None = None
    partitions: str | None = None
    checks: tuple[str, ...] = ()

    @property
    def asset_key(self) -> AssetKey:
        """The key."""
        return AssetKey(self.key)


class NamedFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job, schedule or sensor, and what it runs."""

    name: str
    description: str | None = None
    target: str | None = None


class LocationFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that a code location declares; the assets in an order in which each stands after all it is made from."""

    assets: tuple[AssetFacts, ...] = ()
    jobs: tuple[NamedFacts, ...] = ()
    schedules: tuple[NamedFacts, ...] = ()
    sensors: tuple[NamedFacts, ...] = ()


class Request(msgspec.Struct, frozen=True):
    """What the process of a code location is asked: a function by its name, `module:function`, with its argument as msgpack."""

    number: int
    question: str
    payload: bytes = b""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What it answers to the request of this number: a payload, or an error as one line with its traceback.

    `kind` is the class of an error of the project, whose parts are `message` and `hint`.
    """

    number: int = 0
    payload: bytes = b""
    error: str | None = None
    kind: str | None = None
    message: str = ""
    hint: str | None = None
    traceback: str | None = None
    protocol: int = PROTOCOL


def partition_keys(definitions: Definitions, key: tuple[str, ...]) -> list[str]:
    """The partitions of an asset; none where it has no partitions."""
    from warehouse_assets.execution.partitions import ProjectRecord

    partitions_def = definitions.graph[AssetKey(key)].spec.partitions_def
    return [] if partitions_def is None else list(partitions_def.get_partition_keys(None, ProjectRecord()))


def snapshot(definitions: Definitions, request: None) -> LocationFacts:
    """What is declared."""
    graph = definitions.graph
    checks: dict[AssetKey, list[str]] = {}
    for key in graph.checks:
        checks.setdefault(key.asset_key, []).append(key.name)
    return LocationFacts(
        tuple(_asset(node, checks.get(node.key, [])) for node in graph),
        tuple(NamedFacts(job.name, job.description, str(job.selection)) for job in definitions.jobs),
        tuple(NamedFacts(one.name, one.description) for one in definitions.schedules),
        tuple(NamedFacts(one.name, one.description) for one in definitions.sensors),
    )


def _asset(node: AssetNode, checks: list[str]) -> AssetFacts:
    spec = node.spec
    return AssetFacts(
        node.key.path,
        node.is_executable,
        node.group_name,
        node.place,
        tuple(key.path for key in node.parents),
        spec.description,
        tuple(sorted(spec.kinds)),
        tuple(spec.owners),
        dict(spec.tags),
        spec.code_version,
        node.io_manager_key,
        str(spec.partitions_def) if spec.partitions_def is not None else None,
        tuple(sorted(checks)),
    )
