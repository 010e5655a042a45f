from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import AssetKey, DataVersion, MaterializeResult, MetadataValue, ObserveResult, Output
from warehouse_assets.errors import InvalidMetadataError


@pytest.mark.semantics(22, 23)
def test_an_output_types_what_it_is_given() -> None:
    output = Output([1], metadata={"rows": 1}, data_version=DataVersion("v1"), tags={"a": "b"})

    assert (output.value, output.output_name, output.data_version) == ([1], "result", "v1")
    assert (output.metadata, output.tags) == ({"rows": MetadataValue.int(1)}, {"a": "b"})


@pytest.mark.semantics(22, 23)
def test_a_result_types_what_it_is_given() -> None:
    result: Any = MaterializeResult(asset_key="a/b", metadata={"rows": 1}, data_version=3, check_results=[1])

    assert (result.asset_key, result.metadata) == (AssetKey(["a", "b"]), {"rows": MetadataValue.int(1)})
    assert (result.data_version, result.check_results, repr(result.value)) == ("3", (1,), "NO_VALUE")


@pytest.mark.semantics(23)
@pytest.mark.parametrize(
    "make", [lambda m: Output(1, metadata=m), lambda m: MaterializeResult(metadata=m)], ids=["out", "result"]
)
def test_metadata_of_an_unknown_type_is_refused_at_once(make: Any) -> None:
    with pytest.raises(InvalidMetadataError, match="'x'"):
        make({"x": object()})


def test_an_observation_types_what_it_is_given() -> None:
    seen = ObserveResult(asset_key="a", metadata={"late": True}, data_version=DataVersion("v1"))

    assert (seen.asset_key, seen.metadata, seen.data_version) == (AssetKey("a"), {"late": MetadataValue.bool(True)}, "v1")
