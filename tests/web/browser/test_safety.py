"""What must not be in a page: secrets of the project, and texts of it that are taken for markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.web.browser.addresses import addresses
from tests.web.browser.bazaar import WRITTEN_PASSWORD
from tests.web.browser.conftest import PASSWORD, Bazaar
from tests.web.browser.test_pages import resolved

KEYS = ("staging/orders", "staging/payments", "marts/per_customer", "failing")
API = (
    "/api/openapi.json", "/api/server", "/api/assets", "/api/runs", "/api/locations",
    *(f"/api/assets/{key}{part}" for key in KEYS for part in ("", "/-/definition", "/-/events", "/-/checks")),
)  # fmt: skip


def answers(bazaar: Bazaar) -> Iterator[tuple[str, int, str]]:
    """What is answered at all addresses, and by the forms that launch."""
    place = urlsplit(bazaar.address)
    connection = HTTPConnection(place.hostname or "", place.port)
    extra = [f"/assets/{key}?tab={tab}" for key in KEYS for tab in ("overview", "definition", "table")]
    forms = [f"/launch?assets={key}" for key in KEYS]
    for path in [*(resolved(address, bazaar) for address in addresses()), *extra, *forms, *API]:
        connection.request("GET", path)
        answer = connection.getresponse()
        yield path, answer.status, answer.read().decode()
    connection.close()


@pytest.fixture(scope="module")
def answered(bazaar: Bazaar) -> list[tuple[str, int, str]]:
    """All that the server says."""
    return list(answers(bazaar))


def test_no_answer_holds_a_password(answered: list[tuple[str, int, str]]) -> None:
    telling = [
        path for path, _, text in answered if WRITTEN_PASSWORD in text.replace(f'WRITTEN_PASSWORD = "{WRITTEN_PASSWORD}"', "")
    ]
    telling += [path for path, _, text in answered if PASSWORD in text]

    assert telling == []


def test_every_address_is_answered(answered: list[tuple[str, int, str]]) -> None:
    assert [(path, status) for path, status, _ in answered if status != 200] == []


def test_no_text_of_the_project_is_taken_for_markup(answered: list[tuple[str, int, str]]) -> None:
    pages = [(path, text) for path, _, text in answered if not path.startswith("/api")]

    assert [path for path, text in pages if "<script>alert" in text] == []
    assert [path for path, text in pages if re.search(r"<(script|style)(?![^>]* src=)[^>]*>(?!\s*</)", text)] == []
    assert [path for path, text in pages if re.search(r"<[^>]+\s(style|on[a-z]+)=[\"']", text)] == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"x-csrf-token": "wrong"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 403),
    ],
    ids=[
        "foreign host",
        "foreign origin",
        "origin of no site",
        "wrong token",
        "no token, from elsewhere",
        "no token, simple form",
    ],
)
def test_no_other_site_can_launch_a_run(headers: dict[str, str], status: int, bazaar: Bazaar) -> None:
    place = urlsplit(bazaar.address)
    connection = HTTPConnection(place.hostname or "", place.port)
    connection.request("POST", "/api/runs", json.dumps({"assets": ["quick"]}), {"content-type": "application/json", **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()

    assert answer.status == status
