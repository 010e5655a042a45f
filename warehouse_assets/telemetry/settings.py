"""Who is to be told of runs: as Python says, else the environment, else the `pyproject.toml` of the project."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from warehouse_assets.errors import InvalidConfigError

__all__ = ["OFF", "Wanted", "configure_telemetry", "telemetry_wanted"]

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is to be told: each is false, true, or the client or tracer provider that tells it."""

    openlineage: Any = False
    opentelemetry: Any = False


OFF = Wanted()

_given: dict[str, Any] = {}


def configure_telemetry(*, openlineage: Any = None, opentelemetry: Any = None) -> None:
    """Tell others of the runs of this process from now on, or of none: true, false, or what is to tell them.

    That is an `OpenLineageClient`, or a `TracerProvider` of OpenTelemetry; true is the client or provider that their own
    configuration gives. None leaves it to the variables WAREHOUSE_ASSETS_OPENLINEAGE and WAREHOUSE_ASSETS_OPENTELEMETRY, and to `openlineage` and
    `opentelemetry` below `[tool.warehouse_assets]` in `pyproject.toml`.
    """
    _given.clear()
    _given.update(openlineage=openlineage, opentelemetry=opentelemetry)


def telemetry_wanted(*, lasting: bool) -> Wanted:
    """Who is to be told of a run; the `pyproject.toml` speaks of `lasting` records only, and not of those of a test.

    InvalidConfigError for a setting that is neither yes nor no.
    """
    found = Wanted(_wanted("openlineage", lasting), _wanted("opentelemetry", lasting))
    return OFF if found == OFF else found


def _wanted(name: str, lasting: bool) -> Any:
    if (given := _given.get(name)) is not None:
        return given
    variable = f"WAREHOUSE_ASSETS_{name.upper()}"
    if text := os.environ.get(variable):
        if (known := _WORDS.get(text.strip().lower())) is None:
            raise InvalidConfigError(f"the environment variable {variable} is {text!r}", hint="Set it to 1 or 0.")
        return known
    return lasting and _project_says(name)


def _project_says(name: str) -> bool:
    here = Path.cwd()
    for folder in (here, *here.parents):
        try:
            changed = os.stat(file := f"{folder}/pyproject.toml").st_mtime_ns
        except OSError:
            continue
        value = _own_table(file, changed).get(name, False)
        if not isinstance(value, bool):
            raise InvalidConfigError(f"{file}: {name!r} in [tool.warehouse_assets] is {value!r}", hint="Write true or false.")
        return value
    return False


@lru_cache(maxsize=4)
def _own_table(file: str, changed: int) -> dict[str, Any]:
    """What the file says below `[tool.warehouse_assets]`; what is no TOML says nothing."""
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8")).get("tool", {}).get("warehouse_assets", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return table if isinstance(table, dict) else {}
