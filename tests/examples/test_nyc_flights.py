from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from examples.nyc_flights.definitions import definitions
from examples.nyc_flights.land import csv_folder
from examples.nyc_flights.picture import picture
from warehouse_assets import Instance

FLIGHTS = 336_776


@dataclass(frozen=True)
class Example:
    folder: Path
    output: str
    instance: Instance

    def table(self, name: str) -> pl.DataFrame:
        with duckdb.connect(self.folder / "warehouse.duckdb", read_only=True) as connection:
            return connection.sql(f"from {name}").pl()

    def recorded(self, key: str, metadata: str) -> object:
        event = self.instance.get_latest_materialization_event(key)
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization.metadata[metadata].value

    @property
    def flight_weather(self) -> pl.DataFrame:
        (file,) = (self.folder / "lake").rglob("*.parquet")
        return pl.read_parquet(file)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    folder = tmp_path_factory.mktemp("nyc") / "flights"
    record = tmp_path_factory.mktemp("record")
    done = subprocess.run(
        [sys.executable, "-m", "examples.nyc_flights", str(folder)],
        check=True,
        env={**os.environ, "WAREHOUSE_ASSETS_HOME": str(record)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with Instance.local(record) as instance:
        yield Example(folder, done.stdout, instance)


@pytest.fixture(scope="module")
def csv() -> dict[str, pl.DataFrame]:
    folder = csv_folder()
    files = {name: (folder / f"{name}.csv").read_bytes() for name in ("airlines", "airports", "planes", "weather")}
    files["flights"] = ZipFile(folder / "flights.csv.zip").read("flights.csv")
    return {name: pl.read_csv(data, null_values="NA", infer_schema_length=None) for name, data in files.items()}


@pytest.mark.parametrize("table", ["airlines", "airports", "flights", "planes", "weather"])
def test_the_raw_tables_hold_what_the_files_hold(example: Example, csv: dict[str, pl.DataFrame], table: str) -> None:
    landed = example.table(f"raw.{table}")

    assert_frame_equal(landed.drop("time_hour", strict=False), csv[table].drop("time_hour", strict=False))


def test_every_flight_is_staged_with_moments_and_flags(example: Example) -> None:
    staged = example.table("staging.flights")

    assert staged.height == FLIGHTS
    assert staged.schema["late"] == staged.schema["cancelled"] == pl.Boolean
    assert isinstance(staged.schema["scheduled_departure"], pl.Datetime)
    assert staged["scheduled_departure"].dt.convert_time_zone("America/New_York").dt.year().unique().to_list() == [2013]


def test_the_lake_is_read_by_polars_alone(example: Example, csv: dict[str, pl.DataFrame]) -> None:
    arrived = csv["flights"].filter(pl.col("arr_delay").is_not_null())
    expected = arrived.join(csv["weather"].filter(pl.col("wind_speed") < 200), on=["origin", "time_hour"])

    assert example.flight_weather.height == expected.height
    assert example.flight_weather["late"].sum() == expected.filter(pl.col("arr_delay") >= 15).height


def test_late_routes_are_those_of_a_direct_computation(example: Example, csv: dict[str, pl.DataFrame]) -> None:
    wind = csv["weather"].filter(pl.col("wind_speed") < 200).select("origin", "time_hour", "wind_speed")
    late = pl.col("arr_delay") >= 15
    expected = (
        csv["flights"]
        .filter(pl.col("arr_delay").is_not_null())
        .join(wind, on=["origin", "time_hour"])
        .group_by("origin", "dest")
        .agg(
            flights=pl.len().cast(pl.Int64),
            late=late.mean(),
            late_in_calm=late.filter(pl.col("wind_speed") < 10).mean(),
            late_in_wind=late.filter(pl.col("wind_speed") >= 20).mean(),
        )
        .filter(pl.col("flights") >= 365)
    )

    made = example.table("marts.late_routes")

    assert made["late"].is_sorted(descending=True)
    assert_frame_equal(made.drop("destination"), expected, check_row_order=False)


def test_no_flight_is_lost_between_the_marts(example: Example) -> None:
    carriers, winds = example.table("marts.carriers"), example.table("marts.delay_by_wind")

    assert carriers["flights"].sum() == FLIGHTS
    assert winds["flights"].sum() == example.flight_weather.height
    assert (winds["flights"] * winds["late"]).sum() == pytest.approx(example.flight_weather["late"].sum())


def test_rows_and_bytes_are_recorded_as_they_are(example: Example) -> None:
    (file,) = (example.folder / "lake").rglob("*.parquet")

    assert example.recorded("marts/flight_weather", "row_count") == example.flight_weather.height
    assert example.recorded("marts/flight_weather", "byte_size") == file.stat().st_size
    assert example.recorded("marts/late_routes", "row_count") == example.table("marts.late_routes").height


def test_it_prints_the_lineage_the_sizes_and_the_answer(example: Example) -> None:
    made = (
        "staging/flights",
        "staging/weather",
        "marts/flight_weather",
        "marts/carriers",
        "marts/late_routes",
        "marts/delay_by_wind",
    )
    worst = example.table("marts.late_routes").row(0, named=True)

    assert re.search(r"marts/flight_weather +<- staging/flights, staging/weather", example.output)
    assert all(re.search(rf"{key} +┆? *[\d,]+ +┆? *[\d,]+", example.output) for key in made)
    assert f"{worst['origin']} to {worst['destination']} is the latest" in example.output
    assert "correlation 0.9" in example.output


def test_the_picture_in_the_docs_is_the_one_that_the_example_draws(example: Example) -> None:
    drawn = picture(definitions(example.folder), example.instance)

    assert (Path(__file__).parents[2] / "docs" / "nyc_flights.svg").read_text() == drawn + "\n"
