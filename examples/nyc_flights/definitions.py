"""Flights out of New York in 2013: which routes are late, and does wind explain it?"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import SQL, Definitions, SourceAsset, Table, asset

# Something else fills these tables: they are declared, so that assets can depend on them, and never run.
SOURCES = {
    "airlines": "The name of each carrier.",
    "airports": "Where airports are, and what they are called.",
    "flights": "Every flight that left New York City in 2013, as reported to the Bureau of Transportation Statistics.",
    "planes": "The register of aircraft, by tail number.",
    "weather": "The weather at the three airports, hour by hour.",
}
raw = [SourceAsset(["raw", name], group_name="raw", description=text) for name, text in SOURCES.items()]


@asset(key_prefix="staging", group_name="staging", kinds={"polars"}, ins={"flights": "raw/flights"})
def flights(flights: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each scheduled flight; times are moments, delays are minutes, and late is 15 minutes or more on arrival."""
    return flights.select(
        "carrier",
        "flight",
        "tailnum",
        "origin",
        "dest",
        "distance",
        hour="time_hour",
        scheduled_departure=pl.col("time_hour") + pl.duration(minutes="minute"),
        departure_delay="dep_delay",
        arrival_delay="arr_delay",
        late=pl.col("arr_delay") >= 15,
        cancelled=pl.col("dep_time").is_null(),
    )


@asset(key_prefix="staging", group_name="staging", kinds={"polars"}, ins={"weather": "raw/weather"})
def weather(weather: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each airport and hour with a reading of the wind, in miles an hour, that an anemometer can survive."""
    return weather.filter(pl.col("wind_speed") < 200).select("origin", "wind_speed", "precip", "visib", hour="time_hour")


@asset(
    key_prefix="marts",
    group_name="marts",
    kinds={"polars", "parquet"},
    io_manager_key="lake",
    ins={"flights": "staging/flights", "weather": "staging/weather"},
)
def flight_weather(flights: pl.LazyFrame, weather: pl.LazyFrame) -> pl.LazyFrame:
    """Flights that arrived, each with the weather of its scheduled hour of departure; kept in the lake for others to read."""
    return flights.filter(pl.col("late").is_not_null()).join(weather, on=["origin", "hour"])


@asset(
    key_prefix="marts",
    group_name="marts",
    kinds={"polars"},
    ins={"flights": "staging/flights", "airlines": "raw/airlines", "planes": "raw/planes"},
)
def carriers(flights: pl.LazyFrame, airlines: pl.LazyFrame, planes: pl.LazyFrame) -> pl.LazyFrame:
    """Each airline: how much it flies, how much of that it cancels, how often it is late, and how old its planes are."""
    built = planes.select("tailnum", built="year")
    return (
        flights.join(airlines, on="carrier")
        .join(built, on="tailnum", how="left")
        .group_by(airline="name")
        .agg(
            flights=pl.len(),
            cancelled=pl.col("cancelled").mean(),
            late=pl.col("late").mean(),
            mean_plane_age=(2013 - pl.col("built")).mean(),
        )
        .sort("flights", descending=True)
    )


@asset(
    key_prefix="marts",
    group_name="marts",
    kinds={"sql"},
    owners=["team:operations"],
    deps=["marts/flight_weather", "raw/airports"],
)
def late_routes() -> SQL:
    """Routes flown at least daily, latest first: the share of flights that were late, and the same in calm and windy hours."""
    return SQL("""
        select
            origin,
            dest,
            coalesce(airports.name, dest) as destination,
            count(*) as flights,
            avg(late::int) as late,
            avg(late::int) filter (wind_speed < 10) as late_in_calm,
            avg(late::int) filter (wind_speed >= 20) as late_in_wind
        from marts.flight_weather
        left join raw.airports on airports.faa = dest
        group by all
        having flights >= 365
        order by late desc
    """)


@asset(key_prefix="marts", group_name="marts", kinds={"sql"}, owners=["team:operations"])
def delay_by_wind(flight_weather: Table) -> SQL:
    """Flights by wind in bands of miles an hour: how many there were, the share that was late, and their mean delay."""
    return SQL(
        """
        select
            least(floor(wind_speed / {band}) * {band}, {strongest})::int as wind_from,
            count(*) as flights,
            avg(late::int) as late,
            avg(departure_delay) as mean_departure_delay
        from {flight_weather}
        group by all
        order by wind_from
        """,
        flight_weather=flight_weather,
        band=5,
        strongest=30,
    )


def definitions(folder: Path) -> Definitions:
    """The assets above with their storage in `folder`: a DuckDB file, and beside it a lake of Parquet files."""
    return Definitions(
        assets=[*raw, flights, weather, flight_weather, carriers, late_routes, delay_by_wind],
        resources={
            "io_manager": DuckDBIOManager(database=str(folder / "warehouse.duckdb")),
            "lake": ParquetIOManager(base_path=str(folder / "lake")),
        },
    )


defs = definitions(Path("build/nyc_flights"))
