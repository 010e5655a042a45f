"""`ConditionCursor`: what automation conditions keep from one evaluation for the next, and its compact JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.errors import InstanceError
from warehouse_assets.graph.partition_links import Partition
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["NONE", "ConditionCursor", "StateKey", "Subset"]

Subset: TypeAlias = "frozenset[Partition]"
StateKey: TypeAlias = tuple[
    str, AssetKey, AssetKey | None
]  # the digest of a condition, the asset it is asked of, and for which other

NONE: Subset = frozenset()

_VERSION = 1
_WHOLE: Subset = frozenset((None,))


@dataclass(frozen=True, slots=True)
class ConditionCursor:
    """What an evaluation knows of those before it.

    `time` and `last_id` are up to when and to which event the record was looked at; None before the first evaluation. `known` are the
    assets whose conditions were evaluated, by the digest of the condition; `requested` is what the last evaluation asked for; `true`
    what conditions with a memory were true of, and `versions` which versions they saw. `observed` has those of tables that
    something else fills.
    """

    time: float | None = None
    last_id: int | None = None
    known: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)
    requested: Mapping[AssetKey, Subset] = field(default_factory=dict)
    true: Mapping[StateKey, Subset] = field(default_factory=dict)
    versions: Mapping[StateKey, Mapping[Partition, str]] = field(default_factory=dict)
    observed: Mapping[AssetKey, Mapping[Partition, str]] = field(default_factory=dict)

    def knows_as_much(self, other: ConditionCursor) -> bool:
        """Whether what is kept is the same, apart from when it was looked at."""
        return (
            self.known == other.known
            and self.requested == other.requested
            and self.true == other.true
            and self.versions == other.versions
            and self.observed == other.observed
        )

    def to_json(self, graph: AssetGraph) -> str:
        """The cursor as text; of time partitions it has the spans, so that years of them take a few characters."""
        true: dict[str, dict[str, dict[AssetKey, Subset]]] = defaultdict(lambda: defaultdict(dict))
        for (digest, key, root), subset in self.true.items():
            true[digest][_text(root)][key] = subset
        versions: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
        for (digest, key, root), seen in self.versions.items():
            versions[digest][_text(root)][_text(key)] = _pairs(seen)
        body = {
            "version": _VERSION,
            "time": self.time,
            "last_id": self.last_id,
            "known": {digest: sorted(map(_text, keys)) for digest, keys in self.known.items()},
            "requested": _subsets_to_json(self.requested, graph),
            "true": {
                digest: {root: _subsets_to_json(subsets, graph) for root, subsets in roots.items()}
                for digest, roots in true.items()
            },
            "versions": versions,
            "observed": {_text(key): _pairs(seen) for key, seen in self.observed.items()},
        }
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | None, graph: AssetGraph) -> ConditionCursor:
        """The cursor that `to_json` wrote, without what it keeps of assets that are gone; None gives that of no evaluation.

        InstanceError for a text that no release up to this one has written.
        """
        if text is None:
            return cls()
        try:
            body = json.loads(text)
            if body["version"] != _VERSION:
                raise InstanceError(
                    f"the cursor of the automation conditions is of version {body['version']}, and this release reads {_VERSION}",
                    hint="Upgrade warehouse-assets.",
                )
            return cls._of(body, graph)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InstanceError(f"the cursor of the automation conditions cannot be read: {text[:80]!r}") from error

    @classmethod
    def _of(cls, body: Mapping[str, Any], graph: AssetGraph) -> ConditionCursor:
        states = (
            (digest, _key(root) if root else None, subsets)
            for digest, roots in body["true"].items()
            for root, subsets in roots.items()
        )
        versions = (
            ((digest, _key(text), _key(root) if root else None), seen)
            for digest, roots in body["versions"].items()
            for root, by_key in roots.items()
            for text, seen in by_key.items()
        )
        return cls(
            body["time"],
            body["last_id"],
            {digest: frozenset(_known(texts, graph)) for digest, texts in body["known"].items()},
            _subsets_from_json(body["requested"], graph),
            {
                (digest, key, root): subset
                for digest, root, subsets in states
                for key, subset in _subsets_from_json(subsets, graph).items()
            },
            {state: dict(map(tuple, seen)) for state, seen in versions},
            {_key(text): dict(map(tuple, seen)) for text, seen in body["observed"].items()},
        )


def _subsets_to_json(subsets: Mapping[AssetKey, Subset], graph: AssetGraph) -> dict[str, Any]:
    whole = [_text(key) for key, subset in subsets.items() if subset == _WHOLE]
    some = {_text(key): _partitions_to_json(key, subset, graph) for key, subset in subsets.items() if subset != _WHOLE}
    return {"whole": whole, "some": some}


def _subsets_from_json(body: Mapping[str, Any], graph: AssetGraph) -> dict[AssetKey, Subset]:
    found = dict.fromkeys(_known(body["whole"], graph), _WHOLE)
    for key in _known(body["some"], graph):
        found[key] = _partitions_from_json(key, body["some"][_text(key)], graph)
    return found


def _partitions_to_json(key: AssetKey, subset: Subset, graph: AssetGraph) -> list[Any]:
    partitions_def = graph[key].spec.partitions_def
    names = [name for name in subset if name is not None]
    if hasattr(partitions_def, "spans"):
        return [list(span) for span in partitions_def.spans(names)]
    return sorted(names)


def _partitions_from_json(key: AssetKey, items: Iterable[Any], graph: AssetGraph) -> Subset:
    partitions_def = graph[key].spec.partitions_def
    found: set[Partition] = set()
    for item in items:
        if isinstance(item, str):
            found.add(item)
        elif hasattr(partitions_def, "keys_between"):  # else it was partitioned by time, and is not any more
            found.update(partitions_def.keys_between(*item))
    return frozenset(found)


def _pairs(seen: Mapping[Partition, str]) -> list[list[Partition]]:
    return [[partition, version] for partition, version in seen.items()]


def _known(texts: Collection[str], graph: AssetGraph) -> Iterable[AssetKey]:
    return (key for key in map(_key, texts) if key in graph)


def _text(key: AssetKey | None) -> str:
    return "" if key is None else key.to_escaped_string()


def _key(text: str) -> AssetKey:
    return AssetKey.from_escaped_string(text)
