"""The checks of an asset: what they are, how they went last, and how over time."""

from __future__ import annotations

from dataclasses import dataclass

from warehouse_assets.automation.freshness import FRESHNESS_CHECK
from warehouse_assets.events import AssetCheckEvaluation, Event, EventType
from warehouse_assets.web.answers.asset import AssetRequest, DeclaredCheck, asset_source
from warehouse_assets.web.views.asset import AssetPage, asked
from warehouse_assets.web.views.asset_events import Series, events_of
from warehouse_assets.web.views.asset_metadata import ShownMetadata, is_number, label_of, shown_metadata

__all__ = ["CheckResult", "ShownCheck", "check_series", "shown_checks"]

_KINDS: tuple[EventType, ...] = ("ASSET_CHECK_EVALUATION",)
_READ = 3_000
_MARKS = 40


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check went once; `state` is passed, warned or failed."""

    event_id: int
    timestamp: float
    run_id: str
    state: str
    partition: str | None
    description: str | None
    metadata: tuple[ShownMetadata, ...]


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check with its results, the latest first; `declared` is None for one that is no longer there, or whose location is not."""

    name: str
    state: str
    declared: DeclaredCheck | None
    results: tuple[CheckResult, ...]
    numbers: tuple[str, ...] = ()

    @property
    def is_policy(self) -> bool:
        """Whether the daemon keeps it: how fresh the table is by its policy."""
        return self.name == FRESHNESS_CHECK

    @property
    def latest(self) -> CheckResult | None:
        """How it went last."""
        return self.results[0] if self.results else None

    @property
    def marks(self) -> tuple[CheckResult, ...]:
        """The last results, the oldest first."""
        return self.results[:_MARKS][::-1]


def shown_checks(page: AssetPage) -> tuple[list[ShownCheck], str | None]:
    """The checks of an asset, those that failed first, and why the code location does not tell of them."""
    source, fault = asked(page, asset_source, AssetRequest(page.key.path))
    declared = {one.name: one for one in source.checks} if source is not None else {}
    found: dict[str, list[CheckResult]] = {}
    numbers: dict[str, dict[str, None]] = {}
    for event in events_of(page.site.instance, page.key, _KINDS, _READ):
        evaluation = event.asset_check_evaluation
        if evaluation is not None:
            found.setdefault(evaluation.check_name, []).append(_result(event, evaluation))
            names = (name for name, value in evaluation.metadata.items() if is_number(value))
            numbers.setdefault(evaluation.check_name, {}).update(dict.fromkeys(names))
    known = page.facts.checks if page.facts is not None else ()
    checks = [
        _shown(name, declared.get(name), found.get(name, []), tuple(numbers.get(name, ())))
        for name in dict.fromkeys((*declared, *known, *found))
    ]
    order = ("failed", "warned", "missing", "passed")
    return sorted(checks, key=lambda check: (order.index(check.state), check.name)), fault


def _shown(name: str, declared: DeclaredCheck | None, results: list[CheckResult], numbers: tuple[str, ...]) -> ShownCheck:
    return ShownCheck(name, results[0].state if results else "missing", declared, tuple(results), numbers)


def _result(event: Event, evaluation: AssetCheckEvaluation) -> CheckResult:
    state = "passed" if evaluation.passed else "failed" if evaluation.failed else "warned"
    return CheckResult(
        event.storage_id or 0,
        event.timestamp,
        event.run_id,
        state,
        evaluation.partition,
        evaluation.description,
        tuple(shown_metadata(evaluation.metadata)),
    )


def check_series(page: AssetPage, name: str) -> list[Series]:
    """The numbers in the metadata of a check over time."""
    points: dict[str, list[tuple[float, float, int]]] = {}
    for event in reversed(events_of(page.site.instance, page.key, _KINDS, _READ)):
        evaluation = event.asset_check_evaluation
        if evaluation is not None and evaluation.check_name == name:
            for label, value in evaluation.metadata.items():
                if is_number(value):
                    points.setdefault(label, []).append((event.timestamp, float(value.value), event.storage_id or 0))
    return [Series(label, label_of(label), *map(tuple, zip(*found, strict=True))) for label, found in points.items()]
