"""The API against its own description: whatever is asked, nothing fails inside, and the answers are as described."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from starlette.testclient import TestClient

from tests.web.conftest import SHOP
from warehouse_assets import Instance
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.web import api
from warehouse_assets.web.app import create_app
from warehouse_assets.web.site import Site

EXAMPLES = 6
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
HARD = ["", "%", "..", "a/b", "<script>", "\u202e", "\x00", "\n", "é", "x" * 300, "-1", "9" * 30]


def operations() -> Iterator[tuple[str, str]]:
    """All that the API can be asked, as method and path."""
    for found in sorted(pkgutil.iter_modules(api.__path__), key=lambda one: one.name):
        for route in importlib.import_module(f"{api.__name__}.{found.name}").router.routes:
            if isinstance(route, APIRoute):
                yield from ((method, route.path_format) for method in sorted(route.methods))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, TestClient, dict[str, list[str]]]]:
    """The description of the API of a shop, who asks it, and names that are known there."""
    folder = tmp_path_factory.mktemp("described")
    (folder / "described.py").write_text(SHOP)
    with pytest.MonkeyPatch.context() as patch, Instance.local(folder / "home") as instance:
        patch.chdir(folder)
        definitions = load_definitions("described", folder)
        made = definitions.materialize(["staging/orders", "marts/per_customer"], instance=instance)
        definitions.materialize("regions", instance=instance, partition_key="eu")
        with Workspace([location_of("described", folder)], environment=instance.environment) as workspace:
            site = Site(workspace, instance)
            site.start()
            site.wait()
            app = create_app(site)
            app.state.rate.has_room = lambda: True
            client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
            client.headers["x-csrf-token"] = client.get("/api/server").json()["csrf"]
            known = {
                "key": ["staging/orders", "marts/per_customer", "regions", "raw/events", "bad"],
                "run_id": [made.run_id],
                "location": ["described"],
                "name": ["nightly", "every_night", "arrivals"],
            }
            yield schemathesis.openapi.from_dict(client.get("/api/openapi.json").json()), client, known


@pytest.mark.parametrize(("method", "path"), sorted(operations()), ids=lambda value: value)
def test_whatever_is_asked_the_answer_is_as_described(
    method: str, path: str, shop: tuple[Any, TestClient, dict[str, list[str]]]
) -> None:
    schema, client, known = shop
    operation = schema[path][method]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(), chosen=st.data())
    def holds(case: Any, chosen: st.DataObject) -> None:
        for name in case.path_parameters or {}:
            if chosen.draw(st.booleans()):
                case.path_parameters[name] = chosen.draw(st.sampled_from(known.get(name, ["0"]) + HARD[3:5]))
        asked = case.as_transport_kwargs(base_url="http://localhost")
        for unneeded in ("timeout", "cookies"):
            asked.pop(unneeded, None)
        asked["content"] = asked.pop("data", None)
        headers = {
            name: value for name, value in asked.pop("headers", {}).items() if name.lower() not in ("user-agent", "host")
        }
        answer = client.request(**asked, headers=headers)
        case.validate_response(schemathesis.Response.from_httpx(answer, verify=False), checks=CHECKS)

    holds()
