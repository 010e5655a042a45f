from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version

import pytest

from warehouse_assets.cli import main
from warehouse_assets.io_manager import installed
from warehouse_assets.io_manager.installed import known_io_managers


def test_all_that_are_registered_are_known_by_their_schemes() -> None:
    known = {one.scheme: one.name for one in known_io_managers()}

    assert next(iter(known)) == "default"
    assert (known["duckdb"], known["s3"]) == ("DuckDBIOManager", "ParquetIOManager")


def test_what_is_missing_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = {"s3fs", "psycopg", "duckdb"}
    monkeypatch.setattr(installed, "_is_installed", lambda package: package not in gone)

    with pytest.raises(SystemExit):
        main(["io-managers", "--json"])
    rows = {row["scheme"]: row for row in json.loads(capsys.readouterr().out)}

    assert rows["s3"]["missing"] == ["duckdb", "s3fs"]
    assert rows["s3"]["hint"] == 'pip install "warehouse-assets[parquet,s3]"'
    assert (sorted(rows["postgresql"]["missing"]), rows["postgresql"]["installed"]) == (["duckdb", "psycopg"], False)
    assert (rows["memory"]["missing"], rows["memory"]["installed"]) == ([], True)


def test_a_package_that_nobody_has_is_not_installed() -> None:
    with pytest.raises(PackageNotFoundError):
        version("no-such-package-anywhere")

    assert [installed._is_installed(name) for name in ("click", "no-such-package-anywhere")] == [True, False]
