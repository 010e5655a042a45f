"""Large libraries that are imported when something of them is first used, which a run of SQL may never do."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Deferred"]


class Deferred:
    """Stands for a module, which is imported when an attribute of it is first asked for.

    >>> text = Deferred("textwrap")
    >>> text.dedent("  a")
    'a'
    """

    def __init__(self, module: str) -> None:
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__module), name)
        self.__dict__[name] = value  # found there from now on, as fast as in the module
        return value
