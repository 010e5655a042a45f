from __future__ import annotations

from pathlib import Path

import pytest

from warehouse_assets import InputContext, IOManager, OutputContext, io_manager_from_uri
from warehouse_assets.errors import InvalidConfigError
from warehouse_assets.io_manager import default_io_manager
from warehouse_assets.keys import AssetKey


@pytest.mark.semantics(28)
def test_the_default_manager_keeps_a_file_per_asset_under_a_folder(tmp_path: Path) -> None:
    manager = default_io_manager(str(tmp_path))

    manager.handle_output(OutputContext(AssetKey("a")), {"x": 1})

    assert manager.load_input(InputContext(AssetKey("a"))) == {"x": 1}
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.mark.semantics(28)
@pytest.mark.parametrize("uri", ["memory://", "duckdb:///w.duckdb", "file:///folder", "s3://bucket/prefix"])
def test_a_place_names_its_manager(uri: str) -> None:
    assert isinstance(io_manager_from_uri(uri), IOManager)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("duckbd:///w.duckdb", "no I/O manager is registered for 'duckbd'. Did you mean 'duckdb'?"),
        ("w.duckdb", "no I/O manager is registered for 'w.duckdb'"),
        ("default://", "no I/O manager is registered for 'default'"),
        ("xyz://", "no I/O manager is registered for 'xyz'. Known are "),
    ],
)
def test_an_unknown_place_is_an_error_that_names_the_known_ones(uri: str, message: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        io_manager_from_uri(uri)

    assert str(caught.value).startswith(message)
