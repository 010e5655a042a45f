"""The addresses of all pages, from the routes of the application: a page that is new is opened without being named here."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

from fastapi.routing import APIRoute

from warehouse_assets.web import pages
from warehouse_assets.web.views.asset import TABS

ORDERS = "/assets/staging/orders"
# What routes with parts that vary are opened with, and addresses that deserve a look beside the plain one. RUN:name is a run of the bazaar.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "/": ("/",),
    "/assets/{key:path}": (
        *(ORDERS if tab == "overview" else f"{ORDERS}?tab={tab}" for tab in TABS if tab != "partitions"),
        "/assets/daily?tab=partitions",
        "/assets/marts/report_with_a_name_that_is_much_longer_than_any_column_of_a_list_would_like_it_to_be",
        "/assets/marts/per_customer?tab=checks",
        "/assets/marts/per_customer?tab=definition",
        "/assets/marts/per_customer?tab=columns",
        "/assets/raw/stalls",
        "/assets/never",
        "/assets/failing",
        "ODD",
    ),
    "/runs": ("/runs", "/runs?state=failed", "/runs?state=active"),
    "/runs/{run_id}": ("/runs/RUN:success", "/runs/RUN:failure", "/runs/RUN:odd"),
    "/launch": (),  # a dialog, which the flows open
    "/automation/{location}/{name}": ("/automation/bazaar/every_night", "/automation/bazaar/arrivals"),
    "/automation/explain": (),  # a part of a page
    "/backfills/{backfill_id}": (),
    "/jobs/{location}/{name}": ("/jobs/bazaar/nightly",),
    "/graph": ("/graph", "/graph?select=%2Bmarts/per_customer", "/graph?asset=staging/orders"),
    "/sql": ("/sql",),
}
PARTS = re.compile(r"/_|/graph/|/sql/|/-/|\.json$")  # what pages ask for, and no person opens


def routes() -> Iterator[str]:
    """The paths of all pages."""
    for found in sorted(pkgutil.iter_modules(pages.__path__), key=lambda one: one.name):
        for route in importlib.import_module(f"{pages.__name__}.{found.name}").router.routes:
            if isinstance(route, APIRoute) and "GET" in route.methods and not PARTS.search(route.path):
                yield route.path


def addresses() -> list[str]:
    """The addresses that the tests open."""
    return [address for path in routes() for address in EXAMPLES.get(path, () if "{" in path else (path,))]
