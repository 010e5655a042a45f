"""The asset graph, selections of it, and what it needs to run: pure questions and their answers."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """This package as the decorator of the same name, which `from warehouse_assets import graph` may mean."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from warehouse_assets.definitions.graphs import graph

        return graph(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
