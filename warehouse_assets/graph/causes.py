"""Why an asset is stale, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warehouse_assets.graph.staleness import StaleCause
    from warehouse_assets.keys import AssetKey

__all__ = ["cause_text"]

SHOWN_OF_A_VERSION = 8  # characters of one that is long, as hashes are


def cause_text(cause: StaleCause, of: AssetKey | None = None) -> str:
    """Why the asset `of` is stale, in a few words; where that is so for some of its partitions, after these."""
    if cause.of is not None:
        one = cause if cause.of.count == 1 else replace(cause, partitions=None, old=None if cause.kind == "data" else cause.old)
        if one.partitions == cause.of:
            one = replace(one, partitions=None)
        return f"{cause.of}: {cause_text(replace(one, of=None), of)}"
    name = cause.key.to_user_string()
    if cause.partitions is not None and cause.kind != "code":
        name = f"{name} {cause.partitions}"
    match cause.kind:
        case "code":
            return f"{'its code' if cause.key == of else f'the code of {name}'} changed{_from_to(cause)}"
        case "data":
            return f"{name} changed{_from_to(cause)}"
        case "dependency added":
            return f"{name} became a dependency"
        case "dependency removed":
            return f"{name} is no dependency any more"
    if cause.root is None:
        return f"{name} is missing"
    return f"{name} is stale: {cause_text(cause.root, cause.key)}"


def _from_to(cause: StaleCause) -> str:
    if cause.old is None:
        return ""
    return f" ({_short(cause.old)} → {_short(cause.new)})"


def _short(version: str | None) -> str:
    text = version or "none"
    return text if len(text) < 2 * SHOWN_OF_A_VERSION else f"{text[:SHOWN_OF_A_VERSION]}…"
