"""What is said of an asset check apart from how it is evaluated: `AssetCheckSpec`, and how it went: `AssetCheckResult`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from warehouse_assets.definitions.naming import Faults, Place, caller_place
from warehouse_assets.definitions.specs import AssetDep, CoercibleToDep, dep_keys, normalize_deps
from warehouse_assets.errors import InvalidDefinitionError, InvalidOutputError
from warehouse_assets.events import AssetCheckSeverity
from warehouse_assets.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from warehouse_assets.metadata import MetadataValue, normalize_metadata

__all__ = ["AssetCheckResult", "AssetCheckSpec", "checked_specs", "keys_meant", "verdict_of"]


@dataclass(frozen=True, slots=True)
class AssetCheckSpec:
    """A check as it is known to others: its name, the asset that is checked, and whether it is blocking.

    A blocking check that fails keeps the table from being published, and everything downstream from being made.
    `additional_deps` are assets that have to be there before the check runs.

    >>> AssetCheckSpec("unique", asset="staging/orders").key.to_user_string()
    'staging/orders:unique'
    """

    name: str
    asset_key: AssetKey
    description: str | None = None
    blocking: bool = False
    additional_deps: tuple[AssetDep, ...] = ()
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    place: Place | None = field(default=None, compare=False, repr=False)

    def __init__(
        self,
        name: str,
        *,
        asset: CoercibleToDep,
        description: str | None = None,
        additional_deps: Iterable[CoercibleToDep] | None = None,
        blocking: bool = False,
        metadata: Mapping[str, Any] | None = None,
        place: Place | None = None,
    ) -> None:
        place = place or caller_place()
        faults = Faults(f"check {name!r}: ", place)
        faults.check_name(name)
        keys = keys_meant(asset, faults)
        if len(keys) > 1:
            faults.add(f"a check is of one asset, and {asset!r} stands for {len(keys)}", hint="Give the key of one of them.")
        deps = normalize_deps(additional_deps, faults) if additional_deps else ()
        if any(dep.asset_key in keys for dep in deps):
            faults.add("additional_deps names the asset that is checked", hint="Leave it out.")
        faults.raise_any(f"check {name!r}")
        values = {
            "name": name,
            "asset_key": keys[0],
            "description": description,
            "blocking": blocking,
            "additional_deps": deps,
            "metadata": normalize_metadata(metadata),
            "place": place,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    @property
    def key(self) -> AssetCheckKey:
        """The key of the check."""
        return AssetCheckKey(self.asset_key, self.name)

    def with_keys(self, new_keys: Mapping[AssetKey, AssetKey]) -> AssetCheckSpec:
        """The same check with keys replaced: that of its asset, and those it needs."""
        return AssetCheckSpec(
            self.name,
            asset=new_keys.get(self.asset_key, self.asset_key),
            description=self.description,
            additional_deps=[replace_dep(dep, new_keys) for dep in self.additional_deps],
            blocking=self.blocking,
            metadata=self.metadata,
            place=self.place,
        )


def replace_dep(dep: AssetDep, new_keys: Mapping[AssetKey, AssetKey]) -> AssetDep:
    """The same dependency, on another key where its own is replaced."""
    return AssetDep(new_keys.get(dep.asset_key, dep.asset_key), dep.partition_mapping)


@dataclass(frozen=True, slots=True)
class AssetCheckResult:
    """How a check went. `check_name` and `asset_key` say which one where a function evaluates several.

    `severity` is how bad it is where it did not pass: a warning stops nothing, also where the check is blocking.
    """

    passed: bool
    asset_key: AssetKey | None = None
    check_name: str | None = None
    severity: AssetCheckSeverity = AssetCheckSeverity.ERROR
    description: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)

    def __init__(
        self,
        *,
        passed: bool,
        asset_key: CoercibleToAssetKey | None = None,
        check_name: str | None = None,
        severity: AssetCheckSeverity = AssetCheckSeverity.ERROR,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        verdict = verdict_of(passed)
        if verdict is None:
            raise InvalidOutputError(f"passed is {passed!r}, and has to be True or False", hint="Write passed=bool(…).")
        if not isinstance(severity, AssetCheckSeverity):
            raise InvalidOutputError(f"the severity is {severity!r}", hint="It is AssetCheckSeverity.WARN or .ERROR.")
        values = {
            "passed": verdict,
            "asset_key": AssetKey.coerce(asset_key) if asset_key is not None else None,
            "check_name": check_name,
            "severity": severity,
            "description": description,
            "metadata": normalize_metadata(metadata),
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)


def verdict_of(value: Any) -> bool | None:
    """The bool that a value is, also one of numpy; None where it is none."""
    if getattr(value, "shape", None) == ():
        value = value.item()
    return value if isinstance(value, bool) else None


def keys_meant(asset: CoercibleToDep, faults: Faults) -> Sequence[AssetKey]:
    """The keys that `asset` stands for; none where that is a fault, which is noted."""
    try:
        return dep_keys(asset)
    except InvalidDefinitionError as error:
        faults.add(error.message, hint=error.hint)
        return ()


def checked_specs(specs: Iterable[Any], keys: Set[AssetKey] | None, faults: Faults) -> tuple[AssetCheckSpec, ...]:
    """The specs that a definition evaluates, each once; they are of its own assets, where `keys` are those."""
    found: dict[AssetCheckKey, AssetCheckSpec] = {}
    for spec in specs:
        if not isinstance(spec, AssetCheckSpec):
            faults.add(f"the check spec {spec!r} is not an AssetCheckSpec", hint="Write AssetCheckSpec(name, asset=…).")
        elif keys is not None and spec.asset_key not in keys:
            made = ", ".join(sorted(repr(key.to_user_string()) for key in keys))
            what = f"the check {spec.name!r} is of {spec.asset_key.to_user_string()!r}, which is not made here"
            faults.add(what, hint=f"Made is {made}. Declare checks of other assets with @asset_check.")
        elif spec.key in found:
            faults.add(f"the check {spec.key.to_user_string()!r} is declared twice", hint="Give one of them another name.")
        else:
            found[spec.key] = spec
    return tuple(found.values())
