"""`Drawing`: HTML that a notebook shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["Drawing", "drawn", "text"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """HTML that a notebook shows, and `plain` text that stands for it elsewhere."""

    html: str
    plain: str = "a drawing, which notebooks show"

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"<{self.plain}>"


def drawn(thing: Any, draw: Callable[[], str]) -> str:
    """What `draw` gives; the repr of the thing where that fails, since showing something must never be what fails."""
    try:
        return draw()
    except Exception:  # noqa: BLE001 - whatever is wrong with the thing is said when it is used
        return f"<pre>{text(object.__repr__(thing))}</pre>"


def text(value: Any) -> str:
    """Any value as text that is nothing but text on a page: escaped, and without what no page may hold."""
    return escape("".join(sign if sign >= " " or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in str(value)))
