"""Land the raw tables, make everything from them, and answer the question: `python -m examples.nyc_flights [folder]`."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from examples.nyc_flights.definitions import definitions
from examples.nyc_flights.land import land
from warehouse_assets import AssetKey, Definitions, Instance


def main(folder: Path) -> None:
    """Run the example with its tables in `folder`; what is recorded of them is what `wa list` and `wa show` tell."""
    land(folder / "warehouse.duckdb")
    defs = definitions(folder)
    with Instance.get(folder) as instance:
        defs.materialize(instance=instance)
        print(lineage(defs), sizes(defs, instance), answer(defs), sep="\n\n")


def lineage(defs: Definitions) -> str:
    """Each table, and the tables it is made from."""
    width = max(len(name(node.key)) for node in defs.graph)
    lines = [f"{name(node.key):{width}}  <- {', '.join(map(name, node.parents))}" for node in defs.graph if node.parents]
    return "\n".join(["Lineage", *lines])


def sizes(defs: Definitions, instance: Instance) -> str:
    """What the record says of each table that was made."""
    events = instance.get_latest_materialization_events(defs.graph.executable_keys)
    made = [event.asset_materialization for event in events.values() if event.asset_materialization]
    return show(
        pl.DataFrame(
            {
                "table": [name(one.asset_key) for one in made],
                "rows": [one.metadata["row_count"].value for one in made],
                "bytes": [one.metadata["byte_size"].value for one in made],
                "place": [(one.metadata.get("table_name") or one.metadata["uri"]).value for one in made],
            }
        )
    )


def answer(defs: Definitions) -> str:
    """Which routes are late, and whether wind explains it, in sentences that are computed from the marts."""
    routes = defs.load_asset_value("marts/late_routes", as_type=pl.DataFrame)
    winds = defs.load_asset_value("marts/delay_by_wind", as_type=pl.DataFrame)
    worst, calm, storm = routes.row(0, named=True), winds.row(0, named=True), winds.row(-1, named=True)
    likeness = routes.select(pl.corr("late", "late_in_calm")).item()
    if likeness > 0.7:
        verdict = "Wind makes flights late, but the late routes are late without it."
    else:
        verdict = "Wind chooses the routes that are late."
    return f"""\
Which routes are late?

{show(routes.head(5).drop("dest"))}

{worst["origin"]} to {worst["destination"]} is the latest of {routes.height} routes that are flown at least daily: \
{worst["late"]:.0%} of its {worst["flights"]:,} flights.

Does wind explain it?

{show(winds)}

In winds under 5 miles an hour {calm["late"]:.0%} of the flights are late, and {storm["late"]:.0%} from {storm["wind_from"]} up.
How late a route is in calm air tells how late it is in all weathers (correlation {likeness:.2f}).
{verdict}"""


def name(key: AssetKey) -> str:
    """A key as people read it."""
    return key.to_user_string()


def show(frame: pl.DataFrame) -> str:
    """A frame as text, whole."""
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_width_chars=250, fmt_str_lengths=200, float_precision=3, thousands_separator=",",
        tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True, tbl_formatting="UTF8_BORDERS_ONLY",
    ):  # fmt: skip
        return str(frame)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/nyc_flights"))
