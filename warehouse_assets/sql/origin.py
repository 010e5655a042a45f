"""Where the text of a query was written."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

__all__ = ["SQLOrigin", "place_made"]


@dataclass(frozen=True, slots=True)
class SQLOrigin:
    """The file that holds the text of a query, and the line there on which the text begins.

    `root` is the folder of files that it was loaded with, if it was.

    >>> SQLOrigin("models/orders.sql", line=4).place(2, 8)
    'models/orders.sql:5:8'
    """

    file: str
    line: int = 1
    root: str | None = field(default=None, compare=False)

    def place(self, line: int, column: int) -> str:
        """A place in the text, both numbers counted from 1, as one in the file."""
        return f"{self.file}:{self.line + line - 1}:{column}"


def place_made() -> tuple[str, int]:
    """The file and the line of the first frame up the stack that is not in this package: where a person writes a query."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "warehouse_assets":
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
