"""The settings of a project: the table `[tool.warehouse_assets]` of its `pyproject.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from warehouse_assets.code_location.workspace_file import FILE_NAME
from warehouse_assets.errors import InvalidConfigError

__all__ = ["project_settings"]


def project_settings(folder: Path) -> Mapping[str, Any]:
    """The settings of the nearest `pyproject.toml`, from a folder upwards; those of the daemon and the queue also from a `workspace.toml`.

    InvalidConfigError for a file that is no TOML, or settings that are no table.
    """
    folder = folder.absolute()
    found = _of_pyproject(folder)
    workspace = next((file for place in (folder, *folder.parents) if (file := place / FILE_NAME).is_file()), None)
    if workspace is None:
        return found
    document = _document_in(workspace)
    return {**found, **{name: document[name] for name in ("daemon", "queue") if name in document}}


def _of_pyproject(folder: Path) -> Mapping[str, Any]:
    for file in (place / "pyproject.toml" for place in (folder, *folder.parents)):
        if file.is_file():
            return _settings_in(file)
    return {}


def _settings_in(file: Path) -> Mapping[str, Any]:
    table = _document_in(file).get("tool", {}).get("warehouse_assets", {})
    if not isinstance(table, dict):
        raise InvalidConfigError(
            f"{file} has tool.warehouse_assets = {table!r}", hint="It is a table: [tool.warehouse_assets]."
        )
    return table


def _document_in(file: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InvalidConfigError(f"{file} cannot be read: {error}") from error
