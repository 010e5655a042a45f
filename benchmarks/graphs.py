"""The graphs of empty assets that are measured, as plain dependencies and as definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from warehouse_assets import AssetsDefinition, asset

Dependencies: TypeAlias = "Mapping[str, Sequence[str]]"


def chain(length: int) -> Dependencies:
    """One after the other."""
    return {f"a{i}": [f"a{i - 1}"] if i else [] for i in range(length)}


def fan_out(width: int) -> Dependencies:
    """One, and `width` that depend on it."""
    return {"root": [], **{f"a{i}": ["root"] for i in range(width)}}


def pairs(count: int) -> Dependencies:
    """Each on the one before it and the one half as far from the start; the first two on nothing."""
    return {f"a{i}": [f"a{i - 1}", f"a{i // 2 - 1}"] if i > 1 else [] for i in range(count)}


def define(dependencies: Dependencies) -> list[AssetsDefinition]:
    """Assets that do nothing and store nothing."""

    def nothing() -> None:
        pass

    return [asset(name=name, deps=deps)(nothing) for name, deps in dependencies.items()]
