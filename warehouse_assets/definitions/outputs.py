"""What an asset's function may give back beside a plain value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from warehouse_assets.keys import AssetKey, CoercibleToAssetKey
from warehouse_assets.metadata import MetadataValue, normalize_metadata

__all__ = ["DataVersion", "MaterializeResult", "ObserveResult", "Output"]

T = TypeVar("T")


class _NoValue:
    """Stands for a value that was not given; None is a value."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE: Any = _NoValue()


@dataclass(frozen=True)
class DataVersion:
    """Which version the data of a table has: any text; equal texts mean equal data."""

    value: str


@dataclass(frozen=True)
class Output(Generic[T]):
    """A value to store, and what to record with it. `output_name` names one of several outputs."""

    value: T
    output_name: str = "result"
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    data_version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __init__(
        self,
        value: T,
        output_name: str = "result",
        metadata: Mapping[str, Any] | None = None,
        data_version: Any = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        _set(
            self,
            value=value,
            output_name=output_name,
            metadata=normalize_metadata(metadata),
            data_version=_version(data_version),
            tags=dict(tags or {}),
        )


@dataclass(frozen=True)
class MaterializeResult(Generic[T]):
    """The record of a write that the function did itself, or, with `value`, of one that the I/O manager is to do."""

    asset_key: AssetKey | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    value: T = NO_VALUE
    check_results: Sequence[Any] = ()
    data_version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __init__(
        self,
        *,
        asset_key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        value: T = NO_VALUE,
        check_results: Sequence[Any] = (),
        data_version: Any = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        _set(
            self,
            asset_key=AssetKey.coerce(asset_key) if asset_key is not None else None,
            metadata=normalize_metadata(metadata),
            value=value,
            check_results=tuple(check_results),
            data_version=_version(data_version),
            tags=dict(tags or {}),
        )


@dataclass(frozen=True)
class ObserveResult:
    """What an observable source says of itself."""

    asset_key: AssetKey | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    data_version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __init__(
        self,
        *,
        asset_key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        data_version: Any = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        _set(
            self,
            asset_key=AssetKey.coerce(asset_key) if asset_key is not None else None,
            metadata=normalize_metadata(metadata),
            data_version=_version(data_version),
            tags=dict(tags or {}),
        )


def _version(version: Any) -> str | None:
    """A data version as text; one given as an object has it as its `value`."""
    return None if version is None else str(getattr(version, "value", version))


def _set(self: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(self, name, value)
