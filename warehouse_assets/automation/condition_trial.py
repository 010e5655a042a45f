"""`evaluate_automation_conditions`: conditions evaluated by hand, as tests of them do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.condition_cursor import NONE, ConditionCursor, Subset
from warehouse_assets.automation.condition_evaluation import ConditionResult, evaluate_conditions
from warehouse_assets.automation.condition_record import Watched, read_snapshot
from warehouse_assets.automation.condition_text import result_lines
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.graph.selection import CoercibleToAssetSelection
    from warehouse_assets.instance import Instance

__all__ = ["EvaluateAutomationConditionsResult", "evaluate_automation_conditions"]


@dataclass(frozen=True, slots=True, repr=False)
class EvaluateAutomationConditionsResult:
    """What the conditions ask for, and the `cursor` for the next evaluation."""

    requested: Mapping[AssetKey, Subset]
    results: Mapping[AssetKey, ConditionResult]
    cursor: ConditionCursor

    @property
    def total_requested(self) -> int:
        """How many partitions are asked for; an asset that has none counts as one."""
        return sum(map(len, self.requested.values()))

    def get_num_requested(self, key: CoercibleToAssetKey) -> int:
        """How many partitions of an asset are asked for; one, where it has none and is."""
        return len(self.get_requested_partitions(key))

    def get_requested_partitions(self, key: CoercibleToAssetKey) -> Subset:
        """The partitions of an asset that are asked for; None stands for an asset that has none."""
        return self.requested.get(AssetKey.coerce(key), NONE)

    def explain(self, key: CoercibleToAssetKey) -> str:
        """Why an asset is asked for, or is not: a line for each part of its condition; LookupError where it has none."""
        asset_key = AssetKey.coerce(key)
        return "\n".join(line for _, line in result_lines(self.results[asset_key], asset_key.to_user_string()))

    def __repr__(self) -> str:
        return f"<conditions ask for {[key.to_user_string() for key in self.requested]}>"


def evaluate_automation_conditions(
    defs: Definitions | Iterable[Any],
    instance: Instance,
    *,
    asset_selection: CoercibleToAssetSelection = "*",
    evaluation_time: datetime | None = None,
    cursor: ConditionCursor | None = None,
) -> EvaluateAutomationConditionsResult:
    """Evaluate the conditions of the assets of a Definitions, or of a list of assets; nothing is run or recorded.

    It is the first evaluation, unless the `cursor` of one before is given. `evaluation_time` is now, unless given; without a zone it
    is UTC.
    """
    from warehouse_assets.graph.selection import AssetSelection

    graph: AssetGraph = defs.graph if hasattr(defs, "graph") else AssetGraph.build(defs)
    time = evaluation_time or datetime.now(UTC)
    moment = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    before = cursor or ConditionCursor()
    watched = Watched.of(graph, AssetSelection.of(asset_selection).resolve(graph))
    snapshot = read_snapshot(watched, instance, before, moment.timestamp())
    found = evaluate_conditions(watched, snapshot, before, store=instance, explain=watched.conditions.keys())
    return EvaluateAutomationConditionsResult(found.requested, found.results, found.cursor)
