"""The record, as the process of a code location sees it."""

from __future__ import annotations

import functools

from warehouse_assets.instance import Instance

__all__ = ["the_instance"]


@functools.cache
def the_instance() -> Instance:
    """The instance of the server that asks: its environment names it."""
    return Instance.get()
