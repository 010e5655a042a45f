"""Pictures of the web UI on the example: `python -m tests.web.browser.screenshots`, or `make screenshots`.

Each page is kept in build/screenshots, large and small, light and dark; docs/images has those that the README and the documentation show.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from tests.web.browser.driving import LARGE, ROOT, SMALL, browser, screenshot, served, settled

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KEPT = ROOT / "build" / "screenshots"
SHOWN = ROOT / "docs" / "images"
MODULE = "flights"
# The example with what is around tables: checks, a schedule, and an asset that fails.
FLIGHTS = '''
import polars as pl

from examples.nyc_flights import definitions as example
from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import (
    AssetCheckResult, BackfillPolicy, Config, Definitions, MonthlyPartitionsDefinition, RunRequest, ScheduleDefinition, SkipReason, asset,
    asset_check, define_asset_job, sensor,
)

months = MonthlyPartitionsDefinition("2013-01-01", end_date="2014-01-01")
nightly = define_asset_job("nightly", selection="*", description="Everything, from the raw tables on.")


@asset_check(asset="marts/late_routes")
def shares_are_shares(late_routes: pl.DataFrame) -> AssetCheckResult:
    """The share of late flights lies between 0 and 1."""
    return AssetCheckResult(passed=bool(late_routes["late"].is_between(0, 1).all()), metadata={"routes": late_routes.height})


@asset_check(asset="staging/flights")
def all_have_a_tail_number(flights: pl.DataFrame) -> AssetCheckResult:
    """Each flight names its plane."""
    missing = flights["tailnum"].null_count() if "tailnum" in flights.columns else 0
    return AssetCheckResult(passed=missing == 0, metadata={"missing": missing})


@asset(
    key_prefix="marts", group_name="marts", kinds={"polars"}, ins={"flights": "staging/flights"}, partitions_def=months,
    metadata={"partition_expr": "month"}, backfill_policy=BackfillPolicy.multi_run(4),
)
def delays_by_month(context, flights: pl.LazyFrame) -> pl.DataFrame:
    """Each carrier and month: its flights, and the mean delay of their arrival."""
    flown = flights.with_columns(month=pl.col("hour").dt.truncate("1mo").dt.date()).filter(
        pl.col("month").cast(pl.String).is_in(context.partition_keys)
    )
    return flown.group_by("month", "carrier").agg(flights=pl.len(), delay=pl.col("arrival_delay").mean()).sort("month", "carrier").collect()


class Horizon(Config):
    """How far to look ahead, and with which model."""

    years: int = 1
    model: str = "seasonal"
    with_weather: bool = True


@asset(key_prefix="marts", group_name="marts", deps=["marts/late_routes"], owners=["team:operations"])
def forecast(config: Horizon) -> None:
    """Which routes will be late next year."""
    seasons = {"2013": 0.22}
    raise ValueError(f"only {len(seasons)} season is known, and a forecast needs 3")


@sensor(target="+marts/late_routes", minimum_interval_seconds=600)
def new_flights(context):
    """Asks for a run when there are flights of a day that was not seen."""
    return RunRequest(run_key="2013-12-31") if context.cursor else SkipReason("no day since the last")


defs = Definitions(
    [
        *example.raw, example.flights, example.weather, example.flight_weather, example.carriers, example.late_routes, example.delay_by_wind,
        delays_by_month, forecast,
    ],
    asset_checks=[shares_are_shares, all_have_a_tail_number],
    jobs=[nightly],
    schedules=[ScheduleDefinition("every_night", cron_schedule="0 3 * * *", target=nightly, execution_timezone="America/New_York")],
    sensors=[new_flights],
    resources={"io_manager": DuckDBIOManager(database="warehouse.duckdb"), "lake": ParquetIOManager(base_path="lake")},
)
'''
# Where the pictures were taken is nobody's concern.
NO_FOLDER = """(folder) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) if (text.data.includes(folder)) text.data = text.data.replaceAll(folder, "");
}"""


@dataclass(frozen=True)
class Picture:
    """A page, which the documentation shows under this name, and what is clicked in it before it is taken."""

    name: str
    address: str
    click: str = ""


PICTURES = (
    Picture("home", "/"),
    Picture("catalog", "/assets"),
    Picture("groups", "/graph"),
    Picture("graph", "/graph?whole=1"),
    Picture("neighbours", "/graph?asset=marts/flight_weather&depth=3"),
    Picture("asset", "/assets/marts/late_routes"),
    Picture("activity", "/assets/marts/late_routes?tab=activity"),
    Picture("table", "/assets/marts/late_routes?tab=table"),
    Picture("columns", "/assets/marts/late_routes?tab=columns"),
    Picture("checks", "/assets/marts/late_routes?tab=checks"),
    Picture("partitions", "/assets/marts/delays_by_month?tab=partitions"),
    Picture("definition", "/assets/marts/late_routes?tab=definition"),
    Picture("launch", "/assets/marts/forecast", "#asset-head button[hx-get]"),
    Picture("runs", "/runs"),
    Picture("run", "/runs/SUCCESS"),
    Picture("failure", "/runs/FAILURE"),
    Picture("automation", "/automation"),
    Picture("schedule", "/automation/flights/every_night"),
    Picture("jobs", "/jobs"),
    Picture("job", "/jobs/flights/nightly"),
    Picture("backfills", "/backfills"),
    Picture("backfill", "/backfills/BACKFILL"),
    Picture("locations", "/locations"),
    Picture("sql", "/sql?q=select%20*%20from%20marts.delay_by_wind"),
)


def main(folder: Path) -> None:
    """Make the example in the folder, serve it, and take all pictures."""
    from examples.nyc_flights.land import land

    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    (folder / f"{MODULE}.py").write_text(FLIGHTS)
    if not (folder / "warehouse.duckdb").exists():
        land(folder / "warehouse.duckdb")
    with served(folder, MODULE, WAREHOUSE_ASSETS_HOME=str(folder / "home")) as address:
        runs = _runs(address)
        with browser() as started:
            for picture in PICTURES:
                _take(started, address, picture, runs, folder)
    print(f"{KEPT}: {len(list(KEPT.iterdir()))} pictures; {SHOWN}: {sum(f.stat().st_size for f in SHOWN.iterdir()):,} bytes")  # noqa: T201


def _runs(address: str) -> dict[str, str]:
    """Two runs of everything, one that fails, and a backfill, by how they ended."""
    ended = {}
    for asked in (
        {"selection": "not (marts/forecast or marts/delays_by_month)"},
        {"selection": "+marts/late_routes"},
        {"assets": ["marts/forecast"]},
    ):
        run = _ask(address, "/api/runs", asked)["run_id"]
        while (status := _ask(address, f"/api/runs/{run}")["status"]) not in ("SUCCESS", "FAILURE"):
            time.sleep(0.2)
        ended.setdefault(status, run)
    months = {"partition_range": ["2013-01-01", "2013-09-01"]}
    ended["BACKFILL"] = _ask(address, "/api/runs", {"assets": ["marts/delays_by_month"], **months})["backfill_id"]
    while _ask(address, f"/api/backfills/{ended['BACKFILL']}")["status"] not in ("COMPLETED", "FAILED"):
        time.sleep(0.2)
    return ended


def _ask(address: str, path: str, body: Any = None) -> Any:
    headers = {"content-type": "application/json"}
    if body is not None:
        while (server := _ask(address, "/api/server"))["loading"]:
            time.sleep(0.2)
        headers["x-csrf-token"] = server["csrf"]
    with urlopen(Request(address + path, None if body is None else json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def _take(started: Browser, address: str, picture: Picture, runs: dict[str, str], folder: Path) -> None:
    """One page in all sizes and schemes."""
    path = picture.address
    for status, run in runs.items():
        path = path.replace(status, run)
    for size in (LARGE, SMALL):
        context = started.new_context(viewport={"width": size[0], "height": size[1]}, base_url=address, locale="en-US")
        page = context.new_page()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(path)
            settled(page)
            page.evaluate("document.querySelector('#query') && htmx.trigger('#query', 'submit')")
            page.wait_for_timeout(900)  # plots, and what is asked for in the background
            settled(page)
            if picture.click:
                page.locator(picture.click).first.click()
                page.wait_for_selector("dialog[open]")
            page.evaluate(NO_FOLDER, f"{folder}/")
            screenshot(page, KEPT / f"{picture.name}-{size[0]}-{scheme}.webp")
            if size == LARGE and scheme == "light":
                screenshot(page, SHOWN / f"{picture.name}.webp", 70)
            if picture.name == "home" and (size, scheme) == (SMALL, "dark"):
                screenshot(page, SHOWN / f"{picture.name}-small.webp", 70)
        context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "screenshots-project"))
