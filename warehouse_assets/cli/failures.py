"""What went wrong in a run, as a person reads it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.format import console

__all__ = ["failure_line", "say_failures"]


def say_failures(failures: Mapping[str, BaseException], *, verbose: bool) -> None:
    """Write the error of each step that failed, or its traceback where that was asked for."""
    out = console(stderr=True)
    for name, error in failures.items():
        if verbose:
            out.print(f"\n{name}:", style="bold red")
            out.print("".join(traceback.format_exception(error)).rstrip(), soft_wrap=True)
        else:
            out.print(f"\nError: {name} failed: {failure_line(error)}", soft_wrap=True)
    if not verbose:
        out.print("Run again with --verbose for the traceback.")


def failure_line(error: BaseException) -> str:
    """An error in one line, with the last place in a person's own code that it passed through."""
    return f"{type(error).__name__}: {relative_paths(str(error))}{_users_frame(error)}"


def _users_frame(error: BaseException) -> str:
    """The last place in a person's own code that an error passed through."""
    ours = Path(__file__).parents[1], Path(__file__).parents[2] / "io_managers"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(folder in Path(frame.filename).parents for folder in ours) and "site-packages" not in frame.filename
    ]
    return f" ({relative_paths(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
