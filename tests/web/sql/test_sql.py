"""SQL in the browser and in the API: what is answered, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from tests.web.conftest import SHOP
from warehouse_assets import Instance
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.web.app import create_app
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site
from warehouse_assets.web.views import sql as views

HOSTILE = {
    "attach": "attach '/tmp/x.duckdb'",
    "copy": "copy staging.orders to '/tmp/stolen.csv'",
    "install": "install httpfs",
    "load": "load httpfs",
    "pragma": "pragma database_list",
    "set": "set enable_external_access = true",
    "insert": "insert into staging.orders values (9, 'x')",
    "insert within": "with x as (insert into staging.orders values (9, 'x') returning *) select * from x",
    "create": "create table mine as select 1",
    "drop": "drop table staging.orders",
    "several": "select 1; drop table staging.orders",
    "hidden": "select 1 /* ; */; drop table staging.orders -- ",
    "file": "select * from read_csv('/etc/passwd')",
    "file by name": "select * from '/etc/passwd.csv'",
    "file in a lateral join": "select * from staging.orders, lateral (select * from read_text('/etc/passwd'))",
    "file behind a name": 'select * from (with "/etc/x.csv" as (select 1) select 1), "/etc/x.csv"',
    "files": "select * from glob('/*')",
    "settings": "select * from duckdb_settings()",
    "secrets": "select * from duckdb_secrets()",
    "a setting": "select current_setting('s3_secret_access_key')",
    "environment": "select getenv('HOME')",
    "query in text": "select * from query('drop table staging.orders')",
    "engine": "select * from information_schema.tables",
    "deep": "select " + "(" * 4000 + "1" + ")" * 4000,
    "nothing": " ",
    "no SQL": "'; <script>alert(1)</script>",
}


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Who asks a shop with tables; a test leaves them as they are."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "asked.py").write_text(SHOP)
    with pytest.MonkeyPatch.context() as patch, Instance.local(folder / "home") as instance:
        patch.chdir(folder)
        load_definitions("asked", folder).materialize(["staging/orders", "marts/per_customer"], instance=instance)
        site = Site(Workspace([location_of("asked", folder)], environment=instance.environment), instance)
        site.start()
        site.wait()
        app = create_app(site)
        app.state.rate.has_room = lambda: True
        client = TestClient(app, base_url="http://localhost")
        client.headers["x-csrf-token"] = client.get("/api/server").json()["csrf"]
        yield client
        site.close()


def test_a_query_is_answered_with_types_and_nulls(asking: TestClient) -> None:
    sql = "select customer, count(*) as n, null as nothing, '' as empty, 1.5 as x from staging.orders group by all order by 1"
    told = asking.post("/api/sql", json={"sql": sql}).json()
    page = asking.post("/sql", data={"q": sql}).text

    assert [column["name"] for column in told["columns"]] == ["customer", "n", "nothing", "empty", "x"]
    assert told["rows"] == [["ann", 2, None, "", 1.5], ["bob", 1, None, "", 1.5]]
    assert ('<span class="null">null</span>' in page, '<span class="null">empty</span>' in page) == (True, True)
    assert '<th scope="col" class="number">n' in page


def test_no_more_rows_are_read_than_wanted(asking: TestClient) -> None:
    sql = "select i, repeat('x', 100) from range(10000000) as r(i)"
    told = asking.post("/api/sql", json={"sql": sql, "limit": 3}).json()
    page = asking.post("/sql", data={"q": sql, "limit": "3"}).text

    assert (len(told["rows"]), told["more"]) == (3, True)
    assert "there are more" in page


def test_an_answer_is_a_file(asking: TestClient) -> None:
    csv = asking.post("/sql/file", data={"q": "select * from staging.orders order by id", "limit": "2"})
    parquet = asking.post("/api/sql/file", json={"sql": "select id from staging.orders order by id", "format": "parquet"})
    fault = asking.post("/sql/file", data={"q": "select nope from staging.orders"})

    assert csv.text == "id,customer\r\n0,ann\r\n1,bob\r\n"
    assert "attachment" in csv.headers["content-disposition"]
    assert pq.read_table(io.BytesIO(parquet.content)).to_pydict() == {"id": [0, 1, 2]}
    assert (fault.status_code, "line 1, column 8" in fault.json()["error"]) == (400, True)


def test_a_fault_has_its_line(asking: TestClient) -> None:
    page = asking.post("/sql", data={"q": "select id,\n  nope -- it\nfrom staging.orders"}).text
    told = asking.post("/api/sql", json={"sql": "select * from staging.order"}).json()

    assert "Line 2, column 3:" in page
    assert "  nope -- it\n  ^" in page
    assert "no asset here" in told["error"]


def test_what_is_hostile_is_refused_and_harms_nothing(asking: TestClient) -> None:
    answers = {name: asking.post("/api/sql", json={"sql": sql}) for name, sql in HOSTILE.items()}
    page = asking.post("/sql", data={"q": HOSTILE["no SQL"]}).text
    left = asking.post("/api/sql", json={"sql": "select count(*) from staging.orders"}).json()

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(HOSTILE, 400)
    assert "<script>" not in page
    assert left["rows"] == [[3]]
    assert sorted(path.name for path in Path.cwd().glob("*.duckdb*")) == ["shop.duckdb"]


def test_a_query_that_does_not_end_is_ended_and_harms_no_other_answer(
    asking: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SECONDS", 1.0)
    endless = "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t"
    told = asking.post("/api/sql", json={"sql": endless})
    monkeypatch.setattr(views, "SECONDS", 30.0)

    assert (told.status_code, told.json()["error"]) == (400, "the query was ended after 1 s")
    assert asking.get("/api/jobs").status_code == 200
    assert asking.post("/api/sql", json={"sql": "select 1"}).json()["rows"] == [[1]]


def test_a_query_in_the_address_is_shown_and_not_run(asking: TestClient) -> None:
    page = asking.get("/sql", params={"q": "select '</textarea><script>' from staging.orders"}).text
    empty = asking.get("/sql").text

    assert "&lt;/textarea&gt;&lt;script&gt;" in page
    assert "<tbody>" not in page
    assert 'data-insert="staging.orders"' in empty
    assert asking.post("/sql", data={"q": "select 1"}, headers={"x-csrf-token": "no"}).status_code == 403


def test_tables_are_searched_and_tell_their_columns(asking: TestClient) -> None:
    found = asking.get("/api/sql/tables?search=ORD").json()
    columns = asking.get("/api/sql/columns?asset=staging/orders").json()
    page = asking.get("/sql/columns?asset=staging/orders").text
    unknown = asking.get("/sql/columns?asset=regions").text

    assert found == [{"asset": "staging/orders", "name": "staging.orders"}]
    assert [one["name"] for one in columns] == ["id", "customer"]
    assert 'data-insert="customer"' in page
    assert "Not recorded" in unknown
    assert "No table has &lt;x" in asking.get("/sql/tables?search=<x").text


def test_it_can_be_switched_off(sites: Callable[..., Site], client_of: Callable[[Site], TestClient]) -> None:
    client = client_of(sites("shop", settings=Settings(sql=False)))
    asked = [
        ("GET", "/sql"),
        ("POST", "/sql"),
        ("POST", "/sql/file"),
        ("GET", "/api/sql/tables"),
        ("GET", "/sql/columns?asset=bad"),
    ]
    answers = [client.request(method, address) for method, address in asked]

    assert [(answer.status_code, "switched off" in answer.text) for answer in answers] == [(400, True)] * 5
    assert 'href="/sql"' not in client.get("/jobs").text
