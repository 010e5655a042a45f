"""The catalog, what needs somebody, and the code locations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.testclient import TestClient

from warehouse_assets import AssetCheckEvaluation, AssetKey, AssetMaterialization, Instance
from warehouse_assets.events import ErrorInfo, Event, RunRecord
from warehouse_assets.web.site import Site
from warehouse_assets.web.views.catalog import CatalogFilter, catalog, natural
from warehouse_assets.web.views.pulse import Pulse

ORDERS, CUSTOMERS, BAD = AssetKey(["staging", "orders"]), AssetKey(["marts", "per_customer"]), AssetKey("bad")


def settled(site: Site) -> None:
    """Wait until the states are worked out."""
    pulse = site.kept(Pulse)
    pulse.states()
    while not pulse.is_stated:
        pulse.states()


def made(instance: Instance, key: AssetKey, rows: int, size: int = 100) -> None:
    instance.report_runless_asset_event(AssetMaterialization(key, metadata={"row_count": rows, "byte_size": size}))


def failed(instance: Instance, key: AssetKey, run_id: str = "r1", text: str = "no <such> luck") -> None:
    instance.create_run(RunRecord(run_id, "STARTED", 1.0, started=1.0, asset_keys=(key,)))
    error = ErrorInfo("ValueError", text, f'Traceback\n  File "/me/shop.py", line 3, in bad\n    fail()\nValueError: {text}\n')
    step = key.to_escaped_string()
    instance.store_events(
        [
            Event("STEP_START", run_id, 1.0, step),
            Event("STEP_FAILURE", run_id, 2.0, step, f"ValueError: {text}", error),
            Event("RUN_FAILURE", run_id, 2.0, None, "1 of 1 steps failed"),
        ]
    )


def names(site: Site, **wanted: object) -> Sequence[str]:
    return [row.key.to_user_string() for row in catalog(site, CatalogFilter(**wanted)).rows]  # type: ignore[arg-type]


def test_numbers_in_names_sort_as_numbers() -> None:
    assert sorted(["m10", "m2", "M1", "²", "10"], key=natural) == ["10", "M1", "m2", "m10", "²"]


FOUND: Sequence[tuple[dict[str, object], Sequence[str]]] = [
    ({}, ["bad", "marts/per_customer", "raw/events", "regions", "staging/orders"]),
    ({"text": "order"}, ["marts/per_customer", "staging/orders"]),
    ({"text": "ORDERS come"}, ["staging/orders"]),
    ({"text": "staging/orders+"}, ["marts/per_customer", "staging/orders"]),
    ({"text": "group:staging"}, ["staging/orders"]),
    ({"text": "nothing of the kind"}, []),
    ({"text": "nothing+"}, []),
    ({"group": "staging"}, ["staging/orders"]),
    ({"kind": "polars"}, ["staging/orders"]),
    ({"owner": "team:shop"}, ["staging/orders"]),
    ({"store": "io_manager", "group": "staging"}, ["staging/orders"]),
    ({"store": "nowhere"}, []),
    ({"state": "late"}, []),
    ({"tag": "tier=gold"}, ["staging/orders"]),
    ({"state": "source"}, ["raw/events"]),
    ({"location": "shop", "group": "marts"}, ["bad", "marts/per_customer", "regions"]),
    ({"checks": "failed"}, []),
]


def test_what_fits_is_found(site: Site) -> None:
    found = [(wanted, names(site, **wanted)) for wanted, _ in FOUND]

    assert found == FOUND


def test_rows_tell_what_was_made_last_and_before(site: Site, instance: Instance) -> None:
    for rows in (5, 7, 1_200_000):
        made(instance, ORDERS, rows)
    (row,) = catalog(site, CatalogFilter(text="staging/orders")).rows

    assert row.made is not None
    assert (row.made.rows, row.before, row.history, row.made.bytes) == (1_200_000, 7, [5, 7, 1_200_000], 100)


def test_what_was_made_sorts_before_what_was_not(site: Site, instance: Instance) -> None:
    made(instance, ORDERS, 5, 900)
    made(instance, CUSTOMERS, 50, 90)

    assert names(site, sort="rows", descending=True)[:2] == ["marts/per_customer", "staging/orders"]
    assert names(site, sort="bytes", descending=True)[:2] == ["staging/orders", "marts/per_customer"]
    assert names(site, sort="rows")[:2] == ["staging/orders", "marts/per_customer"]


def test_states_follow_what_happens(site: Site, instance: Instance) -> None:
    settled(site)
    before = {row.key: row.state for row in catalog(site, CatalogFilter()).rows}
    failed(instance, BAD)
    made(instance, ORDERS, 3)
    settled(site)
    after = {row.key: row.state for row in catalog(site, CatalogFilter()).rows}
    made(instance, BAD, 1)
    instance.store_events([Event("STEP_SUCCESS", "r1", 3.0, "bad")])
    settled(site)
    again = {row.key: row.state for row in catalog(site, CatalogFilter()).rows}

    assert [(states[BAD], states[ORDERS]) for states in (before, after, again)] == [
        ("missing", "missing"),
        ("failed", "fresh"),
        ("fresh", "fresh"),
    ]


def test_what_runs_is_told_until_it_is_over(site: Site, instance: Instance) -> None:
    catalog(site, CatalogFilter())
    instance.create_run(RunRecord("r9", "STARTED", 1.0, started=1.0, asset_keys=(ORDERS,)))
    instance.store_events([Event("STEP_START", "r9", 1.0, "staging/orders")])
    during = names(site, state="materializing")
    instance.store_events([Event("RUN_CANCELED", "r9", 2.0)])

    assert (during, names(site, state="materializing")) == (["staging/orders"], [])


def test_the_page_shows_rows_and_asks_for_more(client: TestClient, site: Site, instance: Instance) -> None:
    made(instance, ORDERS, 12_345_678)
    page = client.get("/assets?sort=rows").text
    rows = client.get("/assets?part=rows&offset=1", headers={"hx-request": "true"}).text

    assert page.index("staging/</span>orders") < page.index("per_customer")
    assert '<span title="12,345,678">12.3 M</span>' in page
    assert "<html" not in rows
    assert "Nothing fits" in client.get("/assets?q=nothing").text


def test_home_says_what_needs_somebody_and_what_to_do(client: TestClient, site: Site, instance: Instance) -> None:
    settled(site)
    first = client.get("/").text
    failed(instance, BAD)
    made(instance, CUSTOMERS, 1)
    check = AssetCheckEvaluation(CUSTOMERS, "has_rows", passed=False, description="it is empty")
    instance.report_runless_asset_event(check)
    settled(site)
    page, told = client.get("/").text, client.get("/api/home").json()

    assert "Nothing was made yet" in first
    assert "Materialize all" in first
    assert page.index("ValueError: no &lt;such&gt; luck") < page.index("Frames of libraries") < page.index("it is empty")
    assert (told["failed"], told["failed_checks"]) == (["bad"], ["marts/per_customer:has_rows"])


def test_a_broken_location_is_shown_with_its_own_frames_and_loaded_anew(
    sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path
) -> None:
    (folder / "broken.py").write_text("def fail():\n    1 / 0\nfail()\n")
    site = sites("shop", "broken")
    client = client_of(site)
    page, home = client.get("/locations").text, client.get("/").text
    (folder / "broken.py").write_text("from warehouse_assets import asset\n@asset\ndef mended(): ...\n")
    client.post("/locations/broken/reload")
    site.wait()

    assert "division by zero" in page
    assert page.index("broken.py&#34;, line 3") < page.index("Frames of libraries")
    assert "broken cannot be loaded" in home
    assert [one["state"] for one in client.get("/api/locations").json()] == ["loaded", "loaded"]
    assert client.post("/locations/nothing/reload").status_code == 404


def test_an_empty_project_says_what_to_do_next(
    sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path
) -> None:
    (folder / "empty.py").write_text("from warehouse_assets import Definitions\ndefs = Definitions()\n")
    client = client_of(sites("empty"))

    assert "No assets yet" in client.get("/assets").text
    assert "wa init" in client.get("/").text


def test_a_step_that_makes_several_tables_is_told_of_each(sites: Callable[..., Site], folder: Path, instance: Instance) -> None:
    (folder / "pairs.py").write_text(
        "from warehouse_assets import AssetSpec, Definitions, multi_asset\n"
        "@multi_asset(specs=[AssetSpec('left'), AssetSpec('right')])\n"
        "def both(): ...\n"
        "defs = Definitions([both])\n"
    )
    site = sites("pairs")
    settled(site)
    instance.create_run(RunRecord("r1", "STARTED", 1.0, started=1.0))
    instance.store_events([Event("STEP_START", "r1", 1.0, "both")])
    during = {row.key.to_user_string(): row.state for row in catalog(site, CatalogFilter()).rows}
    instance.store_events([Event("STEP_FAILURE", "r1", 2.0, "both", "no"), Event("RUN_FAILURE", "r1", 2.0)])

    assert during == {"left": "materializing", "right": "materializing"}
    assert names(site, state="failed") == ["left", "right"]


def test_home_tells_of_runs_that_fail_as_a_whole_until_they_are_made_good(client: TestClient, instance: Instance) -> None:
    instance.create_run(RunRecord("r1", "STARTED", 1.0, started=1.0, asset_keys=(ORDERS,)))
    instance.store_events([Event("RUN_FAILURE", "r1", 2.0, None, "its process <died>")])
    before, page = client.get("/api/home").json(), client.get("/").text
    made(instance, ORDERS, 3)
    after = client.get("/api/home").json()

    assert (before["failed"], before["failed_runs"], after["failed_runs"]) == ([], ["r1"], [])
    assert "its process &lt;died&gt;" in page


def test_how_long_a_step_took_is_told_while_its_run_goes_on_and_after_a_restart(
    site: Site, sites: Callable[..., Site], instance: Instance
) -> None:
    catalog(site, CatalogFilter())
    table = AssetMaterialization(ORDERS)
    instance.create_run(RunRecord("r1", "STARTED", 1.0, started=1.0, asset_keys=(ORDERS, BAD)))
    instance.store_events(
        [
            Event("STEP_START", "r1", 1.0, "staging/orders"),
            Event("ASSET_MATERIALIZATION", "r1", 3.0, "staging/orders", data=table),
            Event("STEP_SUCCESS", "r1", 3.5, "staging/orders"),
        ]
    )
    wanted = CatalogFilter(text="staging/orders")
    during = catalog(site, wanted).rows[0].seconds
    instance.store_events([Event("RUN_SUCCESS", "r1", 4.0)])

    assert (during, catalog(sites("shop"), wanted).rows[0].seconds) == (2.5, 2.5)
