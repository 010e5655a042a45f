"""Which I/O managers there are, and what is to be installed for those that cannot be used yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from warehouse_assets.io_manager.registry import registered

__all__ = ["KnownIOManager", "known_io_managers"]

_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")
_REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:\[([\w.,\s-]*)\])?")
_EXTRAS = {"az": "azure", "file": "parquet", "gs": "gcs", "mariadb": "mysql", "postgresql": "postgres", "sqlite": "sql"}
_FILES = {"az", "gs", "s3"}  # Parquet files elsewhere: the file system, and what reads Parquet


@dataclass(frozen=True, slots=True)
class KnownIOManager:
    """An I/O manager that a package registers: the scheme of its URIs, its class, and the packages that it lacks.

    `hint` is the command that installs them, where the package has an extra for them.
    """

    scheme: str
    name: str
    module: str
    package: str
    missing: tuple[str, ...] = ()
    hint: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether all that it needs is there."""
        return not self.missing


def known_io_managers() -> list[KnownIOManager]:
    """All that are registered, by the scheme of their URIs, the default one first. Nothing is imported."""
    points = sorted(registered().items(), key=lambda item: (item[0] != "default", item[0]))
    return [_known(scheme, point) for scheme, point in points]


def _known(scheme: str, point: object) -> KnownIOManager:
    module, _, name = str(getattr(point, "value", "")).partition(":")
    dist = getattr(point, "dist", None)
    package = dist.name if dist is not None else ""
    extra = _EXTRAS.get(scheme, scheme)
    extras = ["parquet", extra] if scheme in _FILES else [extra]
    needed = dict.fromkeys(each for one in extras for each in _required(package, one))
    missing = tuple(each for each in needed if not _is_installed(each))
    hint = f'pip install "{package}[{",".join(extras)}]"' if missing else None
    return KnownIOManager(scheme, name, module, package, missing, hint)


def _required(package: str, extra: str) -> Iterator[str]:
    """The packages that an extra of a package asks for, those of extras that it names among them."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires(package) or []
    except (PackageNotFoundError, ValueError):
        return
    for line in lines:
        marked, found = _EXTRA.search(line), _REQUIREMENT.match(line)
        if marked is None or marked[1] != extra or found is None:
            continue
        if found[1].replace("_", "-").lower() == package.replace("_", "-").lower():
            for other in (found[2] or "").split(","):
                yield from _required(package, other.strip()) if other.strip() != extra else ()
        else:
            yield found[1]


def _is_installed(package: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
