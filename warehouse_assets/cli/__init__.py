"""The command line, `warehouse-assets` or `wa` for short. Each command is loaded when it is called."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["main"]


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line; the console scripts call this."""
    from warehouse_assets.cli.app import app

    app.run(args)
