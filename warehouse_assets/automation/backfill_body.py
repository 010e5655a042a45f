"""`BackfillBody`: what the record keeps of a backfill, as JSON: small, however many partitions it has."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.backfill_targets import Targets, spans_of
from warehouse_assets.automation_records import Backfill
from warehouse_assets.errors import InvalidSelectionError, PartitionNotFoundError
from warehouse_assets.events import CodeLocation
from warehouse_assets.graph.partition_links import WHOLE, Partition, PartitionLinks
from warehouse_assets.instance.upkeep import BACKFILL_TAG
from warehouse_assets.keys import AssetKey, user_strings

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["BACKFILL_TAG", "BackfillBody", "read_targets", "written_targets"]

_LONG = 20_000  # characters, from which on targets are compressed


@dataclass(frozen=True, slots=True)
class BackfillBody:
    """What is to be made and how, and how far that is.

    `targets` and `statuses` are those of the plan whose digest is `plan`; none is made yet where that is None. Each `attempt` has a plan of
    its own: of what was not made before, since the event `after` of the record. `progress` holds, by asset, how many partitions are
    requested, waiting, in_progress, done, failed and canceled. One that is `here` is made by the process that waits for it.
    """

    targets: Any = None
    location: CodeLocation | None = None
    max_runs: int | None = None
    run_config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    here: bool = False
    attempt: int = 0
    plan: str | None = None
    statuses: str = ""
    progress: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    made_before: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def of(cls, backfill: Backfill) -> BackfillBody:
        """The body of a backfill."""
        body = dict(backfill.body)
        if body.get("location") is not None:
            body["location"] = CodeLocation(**body["location"])
        return cls(**body)

    def to_json(self) -> dict[str, Any]:
        """The body as JSON can hold it."""
        return asdict(self)

    @property
    def counts(self) -> dict[str, int]:
        """The progress of all assets together."""
        total: dict[str, int] = {}
        for counts in self.progress.values():
            for name, number in counts.items():
                total[name] = total.get(name, 0) + number
        return total


def written_targets(targets: Targets, links: PartitionLinks) -> Any:
    """The partitions of each asset as ranges of those that follow each other; equal ones are written once."""
    groups: list[tuple[list[list[str]], Any]] = []
    known: dict[tuple[int, int], int] = {}
    for key, partitions in targets.items():
        every = links.partitions(key)
        same = id(partitions), id(every)
        if same not in known:
            known[same] = len(groups)
            groups.append(([], None if every is WHOLE else spans_of(partitions, every)))
        groups[known[same]][0].append(list(key.path))
    text = json.dumps(groups)
    return base64.b85encode(zlib.compress(text.encode())).decode() if len(text) > _LONG else json.loads(text)


def read_targets(written: Any, graph: AssetGraph, links: PartitionLinks) -> Targets:
    """What `written_targets` wrote; InvalidSelectionError or PartitionNotFoundError for assets or partitions that are gone."""
    if isinstance(written, str):
        written = json.loads(zlib.decompress(base64.b85decode(written)))
    found: Targets = {}
    for paths, spans in written:
        keys = [AssetKey(path) for path in paths]
        for key in keys:
            if key not in graph or not graph.nodes[key].is_executable:
                raise InvalidSelectionError(f"the asset {key.to_user_string()!r} is not there any more")
        if any((graph.nodes[key].spec.partitions_def is None) is not (spans is None) for key in keys):
            raise InvalidSelectionError(f"{user_strings(keys)} is partitioned otherwise than when the backfill was asked for")
        partitions = WHOLE if spans is None else _expanded(spans, links.partitions(keys[0]), keys[0])
        found.update(dict.fromkeys(keys, partitions))
    return found


def _expanded(spans: Iterable[str | Sequence[str]], every: Sequence[Partition], key: AssetKey) -> Sequence[Partition]:
    place = {each: index for index, each in enumerate(every)}
    found: list[Partition] = []
    for span in spans:
        start, end = (span, span) if isinstance(span, str) else span
        for each in (start, end):
            if each not in place:
                raise PartitionNotFoundError(f"asset {key.to_user_string()!r} has no partition {each!r} any more")
        found += every[place[start] : place[end] + 1]
    return tuple(found)
