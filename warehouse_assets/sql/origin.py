"""Where the text of a query was written."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["SQLOrigin"]


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
