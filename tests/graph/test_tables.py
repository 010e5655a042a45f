from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from warehouse_assets import AssetKey, IOManager, asset, materialize
from warehouse_assets.errors import InvalidDefinitionError


class Cellar(IOManager):
    """A store that knows no case."""

    def handle_output(self, context: Any, obj: Any) -> None: ...

    def load_input(self, context: Any) -> None: ...

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        return metadata.get("place", key.to_user_string()).lower()


def made(key: str, **options: Any) -> Any:
    return asset(key=key, **options)(lambda: 1)


@pytest.mark.semantics(38)
@pytest.mark.parametrize(
    "other", [made("staging/Orders"), made("bills", metadata={"place": "staging/orders"})], ids=["case", "metadata"]
)
def test_two_assets_in_one_table_are_an_error_that_names_both(other: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"'staging/orders' .*and '.*would both be kept in staging/orders"):
        materialize([made("staging/orders"), other], resources={"io_manager": Cellar()})


@pytest.mark.semantics(38)
def test_two_managers_do_not_share_their_tables() -> None:
    assets = [made("orders"), made("Orders", io_manager_key="other")]

    assert materialize(assets, resources={"io_manager": Cellar(), "other": Cellar()}).success
