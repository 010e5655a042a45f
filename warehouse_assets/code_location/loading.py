"""From the name of a module, or the path of a file, to the `Definitions` in it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from warehouse_assets.code_location.definitions import Definitions
from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.definitions.job import UnresolvedAssetJobDefinition
from warehouse_assets.definitions.naming import collecting
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.definitions.specs import AssetSpec
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, close_matches

__all__ = ["assets_in", "checks_in", "forget_modules", "load_definitions"]


def load_definitions(target: str, folder: Path | None = None) -> Definitions:
    """The Definitions of a module (`my_project.assets`) or file (`assets.py`), importable from `folder` (the current one).

    A module without a `Definitions` is taken for the assets, sources, specs, checks and lists of them at its top level, and its jobs, schedules
    and sensors.
    Raises InvalidDefinitionError, or a group of all faults in it and in what it imports, for a module that is not there, declares
    nothing, or declares what cannot be meant. Whatever else the module raises is left as it is, unless a fault came before.
    """
    folder = (folder or Path.cwd()).resolve()
    known = set(sys.modules)
    definitions: Definitions | None = None
    with collecting() as faults:
        try:
            definitions = _definitions_of(_load_module(target, folder), target)
        except InvalidDefinitionsError as error:
            faults += error.exceptions  # type: ignore[arg-type]
        except InvalidDefinitionError as error:
            faults.append(_placed(error, folder))
        except Exception:
            if not faults:
                raise
    if faults or definitions is None:
        _forget(sys.modules.keys() - known, folder)
        raise faults[0] if len(faults) == 1 else InvalidDefinitionsError(f"{len(faults)} faults in {target!r}", faults)
    return definitions


def _definitions_of(module: ModuleType, target: str) -> Definitions:
    found = {name: value for name, value in vars(module).items() if isinstance(value, Definitions)}
    if len({id(value) for value in found.values()}) > 1:
        raise InvalidDefinitionError(
            f"the module {target!r} has several Definitions: {', '.join(sorted(found))}", hint="Use Definitions.merge."
        )
    if found:
        return next(iter(found.values()))
    assets = [*assets_in(module), *checks_in(module)]
    if not assets:
        raise InvalidDefinitionError(
            f"the module {target!r} declares no assets",
            hint="Put a Definitions, or assets, at its top level." + _hint_of_submodule(module),
        )
    kinds = (UnresolvedAssetJobDefinition, _class("schedule", "ScheduleDefinition"), _class("sensor", "SensorDefinition"))
    others: list[dict[Any, None]] = [
        dict.fromkeys(value for value in vars(module).values() if isinstance(value, kind)) for kind in kinds
    ]
    return Definitions(assets, jobs=others[0], schedules=others[1], sensors=others[2])


def _class(module: str, name: str) -> type[Any]:
    """A class of definitions that few modules need: where it was not imported yet, nothing can be one."""
    loaded = sys.modules.get(f"warehouse_assets.definitions.{module}")
    return getattr(loaded, name) if loaded is not None else _Nothing


class _Nothing:
    """What nothing is."""


def _placed(error: InvalidDefinitionError, folder: Path) -> InvalidDefinitionError:
    """The error with the line of the project that raised it, where it does not know its place."""
    frames = [frame for frame in extract_tb(error.__traceback__) if folder in Path(frame.filename).parents]
    if error.where is None and frames:
        error.where = f"{frames[-1].filename}:{frames[-1].lineno}"
    return error


def forget_modules(folder: Path) -> None:
    """Let the modules of a project, those in this folder that are not installed there, be read anew the next time."""
    own = [name for name in list(sys.modules) if name.partition(".")[0] not in ("__main__", "io_managers", "warehouse_assets")]
    _forget((name for name in own if not _is_installed(sys.modules[name])), folder.resolve())


def _is_installed(module: ModuleType) -> bool:
    file = Path(getattr(module, "__file__", None) or "")
    return not {"site-packages", "dist-packages"}.isdisjoint(file.parts) or Path(sys.prefix) in file.parents


def _forget(names: Iterable[str], folder: Path) -> None:
    """Let modules of the project be read anew the next time: what was faulty in them was left out."""
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and folder in Path(file).parents:
            del sys.modules[name]


def _hint_of_submodule(module: ModuleType) -> str:
    for folder in getattr(module, "__path__", ()):
        if (Path(folder) / "definitions.py").exists():
            return f" Did you mean '{module.__name__}.definitions'?"
    return ""


def assets_in(module: ModuleType) -> Iterator[Any]:
    """The assets, sources and specs at the top level of a module, and in lists there, each once."""
    return _found_in(module, (AssetsDefinition, SourceAsset, AssetSpec))


def checks_in(module: ModuleType) -> Iterator[AssetChecksDefinition]:
    """The checks at the top level of a module, and in lists there, each once."""
    return _found_in(module, (AssetChecksDefinition,))


def _found_in(module: ModuleType, kinds: tuple[type, ...]) -> Iterator[Any]:
    seen: set[int] = set()
    for name, value in vars(module).items():
        if name.startswith("__") or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, kinds):
            yield value
        elif isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, kinds) and id(item) not in seen:
                    seen.add(id(item))
                    yield item


def _load_module(target: str, folder: Path) -> ModuleType:
    if target.endswith(".py") or "/" in target:
        return _load_file(target, folder)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(target)
    except ModuleNotFoundError as error:
        if error.name is None or not (target == error.name or target.startswith(error.name + ".")):
            raise  # the module is there, and imports something that is not
        hint = close_matches(target, list(_modules_in(folder))) or f"It is looked for in {folder} and on Python's path."
        raise InvalidDefinitionError(f"there is no module {target!r}", hint=hint) from None


def _load_file(target: str, folder: Path) -> ModuleType:
    path = (folder / target).resolve()
    if not path.is_file():
        near = [str(other.relative_to(folder)) for other in folder.glob("*.py")]
        raise InvalidDefinitionError(f"there is no file {target!r}", hint=close_matches(target, near))
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InvalidDefinitionError(f"{target!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if previous is None:
            del sys.modules[path.stem]
        else:
            sys.modules[path.stem] = previous
        raise
    return module


def _modules_in(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.py")):
        yield path.stem
    for path in sorted(folder.glob("*/*.py")):
        yield path.parent.name if path.stem == "__init__" else f"{path.parent.name}.{path.stem}"
