"""The garbage collector of Python, while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """While the block lasts, which makes many objects and drops few, nothing is searched for garbage.

    The search looks at all there is, again and again as it grows: a fifth of the time that thousands of definitions take.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
