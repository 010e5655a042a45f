from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    AssetDep,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    In,
    LastPartitionMapping,
    MultiPartitionsDefinition,
    Nothing,
    SourceAsset,
    StaticPartitionsDefinition,
    asset,
    graph_asset,
    graph_multi_asset,
    multi_asset,
    observable_source_asset,
    op,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError

DAYS = DailyPartitionsDefinition("2024-01-01")
REGIONS = StaticPartitionsDefinition(["eu", "us"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})


def nothing(): ...


@op
def one() -> int:
    return 1


def an_asset(**options: Any) -> Any:
    @asset(**options)
    def a(): ...

    return a


def a_multi_asset(metadata: Any = None, **options: Any) -> Any:
    @multi_asset(outs={"a": AssetOut(metadata=metadata)}, **options)
    def made(): ...

    return made


def a_multi_asset_of_specs(metadata: Any = None, **options: Any) -> Any:
    @multi_asset(specs=[AssetSpec("a", metadata=metadata)], **options)
    def made(): ...

    return made


def a_graph_asset(**options: Any) -> Any:
    @graph_asset(**options)
    def a():
        return one()

    return a


def a_graph_multi_asset(metadata: Any = None, **options: Any) -> Any:
    @graph_multi_asset(outs={"a": AssetOut(metadata=metadata)}, **options)
    def made():
        return (one(),)

    return made


def a_source(**options: Any) -> Any:
    return SourceAsset("a", **options)


def an_observable_source(**options: Any) -> Any:
    @observable_source_asset(**options)
    def a(): ...

    return a


def a_spec(**options: Any) -> Any:
    return AssetSpec("a", **options)


WAYS = [
    an_asset,
    a_multi_asset,
    a_multi_asset_of_specs,
    a_graph_asset,
    a_graph_multi_asset,
    a_source,
    an_observable_source,
    a_spec,
]
every_way = pytest.mark.parametrize("declare", WAYS, ids=lambda declare: declare.__name__)


@pytest.mark.semantics(37)
@every_way
def test_an_asset_is_partitioned_as_it_is_declared(declare: Any) -> None:
    declared = declare(partitions_def=BOTH, metadata={"partition_expr": {"day": "at", "region": "where"}})

    assert declared.partitions_def == BOTH


@pytest.mark.semantics(37)
@every_way
@pytest.mark.parametrize("wrong", ["daily", DailyPartitionsDefinition, 0], ids=["text", "class", "zero"])
def test_what_is_no_partitions_definition_is_an_error_with_its_place(declare: Any, wrong: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"partitions_def is .*, not a PartitionsDefinition") as caught:
        declare(partitions_def=wrong)

    assert f"({__file__}:" in str(caught.value)
    assert not isinstance(caught.value, InvalidDefinitionsError)


@pytest.mark.semantics(44)
@every_way
@pytest.mark.parametrize(
    ("parts", "expr", "what"),
    [
        (DAYS, {"day": "at"}, "is {'day': 'at'}, not a column"),
        (DAYS, "", "is '', not a column"),
        (BOTH, "at", "the asset has partitions by day and region. Give {'day': column, 'region': column}."),
        (BOTH, {"day": "at"}, "lacks the dimension 'region'"),
        (BOTH, {"day": "at", "region": 3}, "has for 'region' 3, not a column"),
        (BOTH, {"day": "at", "region": "r", "regio": "r"}, "names 'regio', which is no dimension of the asset"),
    ],
    ids=["dict_for_one", "empty", "text_for_several", "missing", "no_column", "unknown"],
)
def test_the_columns_fit_the_dimensions(declare: Any, parts: Any, expr: Any, what: str) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        declare(partitions_def=parts, metadata={"partition_expr": expr})

    assert what in str(caught.value).replace(f" ({caught.value.where})", "")
    assert f"({__file__}:" in str(caught.value)


@pytest.mark.semantics(44)
def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        an_asset(partitions_def=BOTH, metadata={"partition_expr": {"dy": "at"}}, tags={"": ""}, backfill_policy="all")

    assert len(caught.value.exceptions) == 5


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    "outs",
    [
        {"outs": {"a": AssetOut(partitions_def=DAYS), "b": AssetOut()}},
        {"outs": {"a": AssetOut(partitions_def=REGIONS), "b": AssetOut()}, "partitions_def": DAYS},
        {"specs": [AssetSpec("a", partitions_def=DAYS), AssetSpec("b", partitions_def=REGIONS)]},
    ],
    ids=["out", "out_and_all", "specs"],
)
def test_assets_of_one_function_are_partitioned_alike(outs: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"its assets are not partitioned alike: 'a' has .*, and 'b' has .*\.py:"):
        multi_asset(**outs)(nothing)


@pytest.mark.semantics(37)
def test_the_partitions_of_a_multi_asset_are_those_that_its_assets_share() -> None:
    specs = [AssetSpec("a", partitions_def=DAYS), AssetSpec("b", partitions_def=DAYS)]

    assert multi_asset(specs=specs)(nothing).partitions_def == DAYS
    assert AssetOut.from_spec(specs[0]).attributes["partitions_def"] == DAYS


@pytest.mark.semantics(37)
@pytest.mark.parametrize("declare", [AssetDep, AssetIn], ids=lambda declare: declare.__name__)
def test_what_is_no_partition_mapping_is_an_error_with_its_place(declare: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"'the day before', not a PartitionMapping \(.*test_partitioning\.py:"):
        declare("a", partition_mapping="the day before")


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    "declare", [an_asset, a_multi_asset, a_graph_asset, a_graph_multi_asset], ids=lambda declare: declare.__name__
)
def test_what_is_no_backfill_policy_is_an_error(declare: Any) -> None:
    assert declare(backfill_policy=BackfillPolicy.single_run()).backfill_policy == BackfillPolicy()
    with pytest.raises(InvalidDefinitionError, match="backfill_policy is 'all', not a BackfillPolicy"):
        declare(backfill_policy="all")


@pytest.mark.semantics(37)
def test_an_input_that_is_only_about_order_keeps_its_mapping() -> None:
    @op(ins={"raw": In(Nothing)})
    def made(): ...

    declared = AssetsDefinition.from_op(made, partition_mappings={"raw": LastPartitionMapping()})

    assert declared.specs[0].deps == (AssetDep(AssetKey("raw"), LastPartitionMapping()),)
