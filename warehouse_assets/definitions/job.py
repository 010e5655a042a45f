"""`define_asset_job`: assets that are made together, under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from warehouse_assets.definitions.naming import Faults, Place, caller_place

__all__ = ["UnresolvedAssetJobDefinition", "define_asset_job"]


@dataclass(frozen=True, eq=False)
class UnresolvedAssetJobDefinition:
    """A job as it was declared; a `Definitions` knows the assets, and gives the job that can run."""

    name: str
    selection: Any = "*"
    config: Any = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_tags: Mapping[str, str] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    partitions_def: Any = None
    executor: Any = None
    place: Place | None = field(default=None, repr=False)


def define_asset_job(
    name: str,
    selection: Any = "*",
    *,
    config: Any = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    run_tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    partitions_def: Any = None,
    executor: Any = None,
) -> UnresolvedAssetJobDefinition:
    """Declare a job: a selection of assets that are made together, all of them unless `selection` says which.

    The selection is an AssetSelection, its string form, or a list of assets and keys; it is looked up when a `Definitions` is put
    together. `config` is the run configuration, where a run gives none of its own for an asset or resource. Runs have the `tags`
    of the job, or `run_tags` where those are given. `executor` runs it in place of that of the `Definitions`.

    >>> define_asset_job("nightly", "group:marts", tags={"team": "shop"}).name
    'nightly'

    Raises InvalidDefinitionError, or a group of them, for a name or tags that are not allowed.
    """
    place = caller_place()
    faults = Faults(f"job {name!r}: ", place)
    faults.check_identifier(name, "name")
    given: dict[Any, Any] = {**(tags or {}), **(run_tags or {})}
    for tag, value in given.items():
        if not (isinstance(tag, str) and isinstance(value, str)):
            faults.add(f"the tag {tag!r} has the value {value!r}", hint="Names and values of tags are text.")
    faults.settle(f"job {name!r}")
    return UnresolvedAssetJobDefinition(
        name,
        selection,
        config,
        description,
        dict(tags or {}),
        dict(run_tags) if run_tags is not None else None,
        dict(metadata or {}),
        partitions_def,
        executor,
        place,
    )
