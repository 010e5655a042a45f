"""The settings of a project: the table `[tool.warehouse_assets]` of its `pyproject.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from warehouse_assets.errors import InvalidConfigError

__all__ = ["project_settings"]


def project_settings(folder: Path) -> Mapping[str, Any]:
    """The settings of the nearest `pyproject.toml`, from a folder upwards; nothing where there is none.

    InvalidConfigError for a file that is no TOML, or settings that are no table.
    """
    folder = folder.absolute()
    for file in (place / "pyproject.toml" for place in (folder, *folder.parents)):
        if file.is_file():
            return _settings_in(file)
    return {}


def _settings_in(file: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        document = tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InvalidConfigError(f"{file} cannot be read: {error}") from error
    table = document.get("tool", {}).get("warehouse_assets", {})
    if not isinstance(table, dict):
        raise InvalidConfigError(
            f"{file} has tool.warehouse_assets = {table!r}", hint="It is a table: [tool.warehouse_assets]."
        )
    return table
