"""Plain SQL on a server that has a dialect of its own here: what is promised for a database of which nothing is known."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from io_managers.sqlalchemy import SQLAlchemyIOManager
from io_managers.sqlalchemy import manager as module
from io_managers.sqlalchemy.plain import Plain
from warehouse_assets.errors import InvalidConfigError
from warehouse_assets.testing.io_manager import KEY, SchemaPolicyContract, SelectionContract, WriteModeContract, load

pytestmark = pytest.mark.semantics(38, 39, 40, 41, 43, 44, 45)


@pytest.fixture
def plainly(monkeypatch):
    """Makes a manager that knows nothing of its database."""
    engines = []

    def manager(url):
        engines.append(create_engine(url))
        monkeypatch.setattr(module, "dialect_of", lambda _: Plain(engines[-1]))
        return SQLAlchemyIOManager(url=url)

    yield manager
    for engine in engines:
        engine.dispose()


class TestPostgreSQL(WriteModeContract, SelectionContract, SchemaPolicyContract):
    STORE = "plain SQL"

    @pytest.fixture
    def manager(self, postgres, plainly):
        return plainly(postgres.sqlalchemy_url)

    def peek(self, manager, key):
        return load(manager, key=key)


@pytest.mark.parametrize("url", ["mysql+mysqldb://me:s3cret@host/shop", "mariadb+mariadbconnector://me:s3cret@host/shop"])
def test_a_driver_of_mysql_that_is_not_known_is_refused(url):
    with pytest.raises(InvalidConfigError, match=r"is not known here\. Write .*\+pymysql://") as caught:
        SQLAlchemyIOManager(url=url).check_asset(KEY, {}, None)

    assert "s3cret" not in str(caught.value)


def test_an_engine_whose_sql_is_not_known_has_the_common_one():
    class Unheard:
        class dialect:
            name = "unheard"

    assert Plain(Unheard()).sqlglot == ""
