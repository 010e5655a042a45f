"""Why a condition asks for an asset, or does not: as facts for programs, and as the lines of a tree for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from warehouse_assets.automation.condition_cursor import Subset
from warehouse_assets.automation.condition_evaluation import ConditionResult

__all__ = ["partitions_text", "result_facts", "result_lines"]

_NAMED = 3


def result_facts(result: ConditionResult) -> dict[str, Any]:
    """What came out of a condition and of its parts, as JSON can hold it; of what is not partitioned, `partitions` is null."""
    whole = None in result.asked
    return {
        "condition": result.name,
        "of": result.subject,
        "true": bool(result.true),
        "partitions": None if whole else sorted(map(str, result.true)),
        "asked": None if whole else len(result.asked),
        "parts": [result_facts(part) for part in result.parts],
    }


def result_lines(result: ConditionResult, subject: str = "", depth: int = 0) -> Iterator[tuple[bool, str]]:
    """A line for each part, indented as they are made of each other, with whether it is true of anything."""
    of = f" [{result.subject}]" if result.subject != subject else ""
    yield bool(result.true), f"{'  ' * depth}{'✓' if result.true else '✗'} {result.name}{of}{_counted(result)}"
    for part in result.parts:
        yield from result_lines(part, result.subject, depth + 1)


def _counted(result: ConditionResult) -> str:
    if None in result.asked or not result.asked:
        return ""
    return f": {partitions_text(result.true)}" if len(result.true) < len(result.asked) else f": all {len(result.asked)}"


def partitions_text(subset: Subset) -> str:
    """The last few of some partitions, and how many there are.

    >>> partitions_text(frozenset({"mon", "tue", "sat", "sun"}))
    '4, with sun, tue'
    """
    names = sorted(map(str, subset))
    if len(names) <= _NAMED:
        return ", ".join(names) or "none"
    return f"{len(names)}, with {', '.join(names[-2:])}"
