"""Partitions on the command line: which to make, and how many were made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.format import count_text

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
    from warehouse_assets.instance import Instance
    from warehouse_assets.keys import AssetKey

__all__ = ["all_at_once", "chosen_partitions", "partition_facts", "partition_options", "partition_text"]

_JOINT = "..."


def partition_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--partition KEY` and `--partition-range START...END`."""
    several = click.option(
        "--partition-range",
        metavar="START...END",
        help="Which partitions of partitioned assets, made at once; both ends included.",
    )
    return click.option("--partition", metavar="KEY", help="Which partition of partitioned assets.")(several(command))


def chosen_partitions(partition: str | None, partition_range: str | None) -> dict[str, Any]:
    """What `materialize` is told of partitions."""
    if partition is not None and partition_range is not None:
        raise click.UsageError("--partition and --partition-range are both given.")
    if partition_range is None:
        return {"partition_key": partition, "partition_key_range": None}
    from warehouse_assets.partitions.definition import PartitionKeyRange

    start, joint, end = partition_range.partition(_JOINT)
    if not (start and joint and end):
        raise click.UsageError(
            f"--partition-range is {partition_range!r}. Write START{_JOINT}END, such as 2024-01-01{_JOINT}2024-01-31."
        )
    return {"partition_key": None, "partition_key_range": PartitionKeyRange(start, end)}


def all_at_once(graph: AssetGraph, selected: Collection[AssetKey]) -> dict[str, Any]:
    """All partitions, where none are given and all that is partitioned says that it makes any number at once: `BackfillPolicy.single_run()`."""
    from warehouse_assets.execution.partitions import ProjectRecord
    from warehouse_assets.partitions.definition import PartitionKeyRange

    definitions = [graph[key].definition for key in selected if graph[key].spec.partitions_def is not None]
    policies = [definition.backfill_policy if definition is not None else None for definition in definitions]
    if not policies or any(policy is None or policy.max_partitions_per_run is not None for policy in policies):
        return {}
    record = ProjectRecord()
    first = definitions[0].partitions_def if definitions[0] is not None else None
    keys = first.get_partition_keys(None, record) if first is not None else ()
    return {"partition_key_range": PartitionKeyRange(keys[0], keys[-1]), "partition_key": None} if keys else {}


def partition_facts(node: AssetNode, instance: Instance) -> dict[str, Any] | None:
    """How an asset is partitioned, how many of its partitions there are, and how many of those were materialized."""
    if node.spec.partitions_def is None:
        return None
    keys = set(node.spec.partitions_def.get_partition_keys(None, instance))
    made = keys & instance.get_materialized_partitions(node.key)
    return {"definition": str(node.spec.partitions_def), "total": len(keys), "materialized": len(made)}


def partition_text(facts: dict[str, Any]) -> str:
    """These facts in one line.

    >>> partition_text({"definition": "static partitions 'eu', 'us'", "total": 2, "materialized": 1})
    "static partitions 'eu', 'us'; 1 of 2 materialized"
    """
    return f"{facts['definition']}; {count_text(facts['materialized'])} of {count_text(facts['total'])} materialized"
