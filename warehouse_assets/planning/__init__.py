"""What a run would do, before it does: which assets it would make and why, the columns they would have, and what would break."""

from __future__ import annotations

from warehouse_assets.planning.plan import Fault, Plan, PlannedAsset

__all__ = ["Fault", "Plan", "PlannedAsset"]
