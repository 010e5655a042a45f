"""Assets that the tests of checks share, and what a run tells of their checks."""

from __future__ import annotations

from typing import Any

from warehouse_assets import (
    AssetCheckSeverity,
    InputContext,
    asset,
)
from warehouse_assets.execution.run import RunResult

WARN = AssetCheckSeverity.WARN


class StagedValue:
    """A value that only its checks see."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.reads: list[InputContext] = []

    def load_input(self, context: InputContext) -> Any:
        self.reads.append(context)
        return self.value


@asset
def orders() -> list[int]:
    return [1, 2, 2]


@asset
def report(orders: list[int]) -> int:
    return len(orders)


def seen(result: RunResult) -> dict[str, bool]:
    return {e.asset_check_key.to_user_string(): e.passed for e in result.get_asset_check_evaluations()}
