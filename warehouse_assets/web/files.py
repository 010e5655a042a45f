"""`Files`: scripts, styles and pictures of the pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

__all__ = ["STATIC", "Files"]

STATIC = Path(__file__).parent / "static"


class Files(StaticFiles):
    """Files that browsers keep, since another content has another address."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, and for how long to keep it."""
        answer = await super().get_response(path, scope)
        kept = b"v=" in scope["query_string"]
        answer.headers["cache-control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        return answer
