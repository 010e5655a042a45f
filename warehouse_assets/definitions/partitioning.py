"""What is checked, where an asset is declared, of how it is partitioned. Nothing here is asked of assets without partitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidDefinitionError, close_matches

if TYPE_CHECKING:
    from warehouse_assets.definitions.naming import Faults
    from warehouse_assets.definitions.specs import AssetSpec

__all__ = [
    "PARTITION_EXPR",
    "check_backfill_policy",
    "check_partition_expr",
    "check_partition_mapping",
    "check_partitions",
    "check_shared_partitions",
]

PARTITION_EXPR = "partition_expr"


def check_partitions(partitions_def: Any, metadata: Mapping[str, Any], faults: Faults) -> bool:
    """Whether a `partitions_def` is one; if so, the columns that `metadata` names for it are checked too."""
    from warehouse_assets.partitions.definition import PartitionsDefinition

    if not isinstance(partitions_def, PartitionsDefinition):
        faults.add(
            f"partitions_def is {partitions_def!r}, not a PartitionsDefinition",
            hint='Give for example DailyPartitionsDefinition("2024-01-01").',
        )
        return False
    if metadata.get(PARTITION_EXPR) is not None:
        check_partition_expr(partitions_def, metadata[PARTITION_EXPR], faults)
    return True


def check_partition_expr(partitions_def: Any, expr: Any, faults: Faults) -> None:
    """`partition_expr` is a column, or for multi-partitions a column for each dimension."""
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition

    if not isinstance(partitions_def, MultiPartitionsDefinition):
        if not isinstance(expr, str) or not expr:
            faults.add(f"the metadata {PARTITION_EXPR!r} is {expr!r}, not a column", hint="Give the name of the column.")
        return
    names = partitions_def.partition_dimension_names
    form = "{" + ", ".join(f"{name!r}: column" for name in names) + "}"
    if not isinstance(expr, Mapping):
        faults.add(f"the metadata {PARTITION_EXPR!r} is {expr!r}, and the asset has {partitions_def}", hint=f"Give {form}.")
        return
    for name in names:
        if name not in expr:
            faults.add(f"the metadata {PARTITION_EXPR!r} lacks the dimension {name!r}", hint=f"Give {form}.")
        elif not isinstance(expr[name], str) or not expr[name]:
            faults.add(
                f"the metadata {PARTITION_EXPR!r} has for {name!r} {expr[name]!r}, not a column",
                hint="Give the name of the column.",
            )
    for name in expr.keys() - set(names):
        hint = close_matches(str(name), names) or f"Give {form}."
        faults.add(f"the metadata {PARTITION_EXPR!r} names {name!r}, which is no dimension of the asset", hint=hint)


def check_shared_partitions(specs: Iterable[AssetSpec], faults: Faults) -> None:
    """Assets that one function makes are partitioned alike: it is called for a partition of all of them."""
    specs = list(specs)
    differing = [spec for spec in specs if spec.partitions_def != specs[0].partitions_def]
    if differing:
        first, other = specs[0], differing[0]
        faults.add(
            f"its assets are not partitioned alike: {first.key.to_user_string()!r} has {_shown(first)}, "
            f"and {other.key.to_user_string()!r} has {_shown(other)}",
            hint="Give all of them one partitions_def, or make them by several functions.",
        )


def check_partition_mapping(mapping: Any, where: str) -> None:
    """Raise InvalidDefinitionError for a `partition_mapping` that is none."""
    from warehouse_assets.partitions.mapping import PartitionMapping

    if not isinstance(mapping, PartitionMapping):
        raise InvalidDefinitionError(
            f"partition_mapping is {mapping!r}, not a PartitionMapping",
            where=where,
            hint="Give for example TimeWindowPartitionMapping(start_offset=-1, end_offset=-1).",
        )


def check_backfill_policy(policy: Any, faults: Faults) -> None:
    """A `backfill_policy` is one, where it is given."""
    from warehouse_assets.definitions.policies import BackfillPolicy

    if policy is not None and not isinstance(policy, BackfillPolicy):
        faults.add(f"backfill_policy is {policy!r}, not a BackfillPolicy", hint="Give for example BackfillPolicy.single_run().")


def _shown(spec: AssetSpec) -> str:
    return "no partitions" if spec.partitions_def is None else str(spec.partitions_def)
