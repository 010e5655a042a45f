"""SQL from pages: it reads tables of the project, and nothing else, and never too much of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from warehouse_assets import Instance
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.web.app import create_app
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site

SHOP = """
import polars as pl
from io_managers import ParquetIOManager
from warehouse_assets import Definitions, asset

@asset(key_prefix="shop")
def orders() -> pl.DataFrame:
    return pl.DataFrame({"id": range(1000), "customer": ["<b>ann", None, "", "bob"] * 250, "part": [b"x"] * 1000})

defs = Definitions([orders], resources={"io_manager": ParquetIOManager(base_path="lake")})
"""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("sql")
    (folder / "sold.py").write_text(SHOP)
    (folder / "secret.csv").write_text("secret\n42\n")
    with (
        Instance.local(folder / "home") as instance,
        Workspace([location_of("sold", folder)], environment=instance.environment) as workspace,
    ):
        site = Site(workspace, instance)
        site.start()
        site.wait()
        client = TestClient(create_app(site), base_url="http://localhost")
        client.app.state.rate._calls = 1000  # type: ignore[attr-defined]
        client.headers["x-csrf-token"] = client.get("/api/server").json()["csrf"]
        run_id = client.post("/api/runs", json={"assets": ["shop/orders"]}).json()["run_id"]
        _carried_out(instance, run_id)
        yield client
        site.close()


def _carried_out(instance: Instance, run_id: str) -> None:
    from warehouse_assets.automation.processes import start_process

    assert start_process(instance, instance.get_run_record(run_id)).wait() == 0


def test_a_query_is_answered_with_types_nulls_and_escaped_text(asking: TestClient) -> None:
    page = asking.post("/sql", data={"q": "select id, customer from shop.orders order by id limit 3", "location": "sold"}).text

    assert "&lt;b&gt;ann" in page
    assert page.count('class="null">null<') == 1
    assert page.count('class="null">empty<') == 1
    assert '<td class="number">2</td>' in page


def test_no_more_rows_come_than_were_asked_for(asking: TestClient) -> None:
    told = asking.post("/api/sql", json={"sql": "from shop.orders", "limit": 10}).json()

    assert (len(told["rows"]), told["more"], [one["name"] for one in told["columns"]]) == (10, True, ["id", "customer", "part"])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_answer_is_a_file_too(asking: TestClient, form: str) -> None:
    answer = asking.post("/sql", data={"q": "select id from shop.orders", "location": "sold", "limit": "5", "form": form})
    read = pl.read_csv if form == "csv" else pl.read_parquet

    assert read(io.BytesIO(answer.content))["id"].to_list() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "with recursive t as (select 1 as n union all select n + 1 from t where n < 5) select * from t",
        "select unnest([1, 2]), date_trunc('day', timestamp '2024-01-01 10:00:00'), list_transform([1], lambda x: x + 1)",
        "select * from range(3)",
        "select count(*), approx_count_distinct(id), strftime(date '2024-01-01', '%Y') from shop.orders",
        "pivot shop.orders on id % 2 using count(*)",
        "values (1)",
        "select regexp_extract(customer, 'a'), median(id) over () from orders limit 1",
    ],
)
def test_queries_of_many_kinds_are_answered(asking: TestClient, text: str) -> None:
    answer = asking.post("/api/sql", json={"sql": text})

    assert (answer.status_code, bool(answer.json().get("rows"))) == (200, True), answer.text


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_csv('secret.csv')",
        "select * from 'secret.csv'",
        "select * from read_text('/etc/passwd')",
        "select (select content from read_blob('/etc/passwd'))",
        "select * from glob('*')",
        "select getenv('HOME')",
        "select current_setting('home_directory')",
        "select * from query('select 1')",
        "select * from duckdb_settings()",
        "select * from duckdb_secrets()",
        "from pragma_table_info('x')",
        "attach 'other.db'",
        "copy shop.orders to 'x.csv'",
        "copy (select 1) to 'x.csv'",
        "install httpfs",
        "load httpfs",
        "pragma database_list",
        "set memory_limit = '1GB'",
        "create table x as select 1",
        "insert into shop.orders select 1, 'x', null",
        "delete from shop.orders",
        "drop table shop.orders",
        "select 1; drop table shop.orders",
        "select 1; select 2",
        "",
        "explain analyze select 1",
        "describe shop.orders",
        "select * into x from shop.orders",
        "with x as (delete from shop.orders returning *) select * from x",
        "select * from nothing",
        "select * from information_schema.tables",
        "export database 'x'",
        "call pragma_version()",
        "select from from x",
        "select pg_read_file('/etc/passwd')",
        "select * from shop.orders where id in (select size from read_parquet('x'))",
        "summarize 'secret.csv'",
    ],
)
def test_what_does_more_than_read_tables_of_the_project_is_refused(asking: TestClient, text: str) -> None:
    answer = asking.post("/api/sql", json={"sql": text})

    assert answer.status_code in (400, 404, 422), answer.text
    assert "42" not in answer.text or "root:" not in answer.text
    assert len(asking.post("/api/sql", json={"sql": "from shop.orders", "limit": 1}).json()["rows"]) == 1


def test_what_takes_too_long_is_stopped_and_harms_no_other_question(
    asking: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse_assets.web.views.sql.SECONDS", 2.0)
    endless = "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t"
    answer = asking.post("/api/sql", json={"sql": endless})

    assert (answer.status_code, "was stopped" in answer.text) == (400, True)
    assert asking.get("/graph").status_code == 200
    assert asking.post("/api/sql", json={"sql": "select 1"}).status_code == 200


def test_the_page_lists_tables_and_keeps_a_query_in_its_address(asking: TestClient) -> None:
    page = asking.get("/sql?q=select+%3C%2Ftextarea%3E").text

    assert 'data-insert="shop.orders"' in page
    assert 'data-insert="customer"' in page
    assert "select &lt;/textarea&gt;" in page


def test_it_can_be_switched_off(sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path) -> None:
    (folder / "empty.py").write_text("from warehouse_assets import Definitions\ndefs = Definitions()\n")
    client = client_of(sites("empty", settings=Settings(sql=False)))

    assert client.get("/sql").status_code == 400
    assert client.post("/api/sql", json={"sql": "select 1"}).status_code == 400
    assert 'href="/sql"' not in client.get("/").text


def test_dear_calls_are_counted(sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path) -> None:
    (folder / "empty.py").write_text("from warehouse_assets import Definitions\ndefs = Definitions()\n")
    client = client_of(sites("empty", settings=Settings(sql=False)))
    codes = [client.post("/api/sql", json={"sql": "select 1"}).status_code for _ in range(31)]

    assert codes == [400] * 30 + [429]
