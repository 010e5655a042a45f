from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from warehouse_assets import Config, ConfigurableIOManager, ConfigurableResource, EnvVar, PermissiveConfig
from warehouse_assets.config import describe_validation_error
from warehouse_assets.errors import InvalidConfigError, ResourceError


class Limits(Config):
    rows: int
    name: str = "all"


class Database(ConfigurableResource):
    host: str
    port: int = 5432
    password: str = ""


class Warehouse(ConfigurableResource):
    database: Database
    schema_name: str = "main"


@pytest.mark.semantics(18)
@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "missing field 'rows'"),
        ({"rows": 1, "nmae": "x"}, "unknown field 'nmae' (did you mean 'name'?)"),
        ({"rows": "many"}, "field 'rows': input should be a valid integer, unable to parse string as an integer, not 'many'"),
        ({"row": 1}, "missing field 'rows'; unknown field 'row' (did you mean 'rows'?)"),
    ],
    ids=repr,
)
def test_faults_are_said_in_one_line(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Limits(**values)

    assert describe_validation_error(caught.value, known=Limits.model_fields) == fault


@pytest.mark.semantics(18)
def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Limits(rows=1).rows = 2


def test_a_permissive_config_takes_other_fields_too() -> None:
    class Loose(PermissiveConfig):
        rows: int = 1

    assert Loose(more="x").model_dump() == {"rows": 1, "more": "x"}


@pytest.mark.semantics(19)
def test_variables_are_read_on_resolving_and_hidden_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(host="db.example", port=EnvVar.int("WA_PORT"), password=EnvVar("WA_PASSWORD"))
    monkeypatch.setenv("WA_PORT", "1234")
    monkeypatch.setenv("WA_PASSWORD", "s3cret")

    resolved = database.resolve()

    assert (resolved.host, resolved.port, resolved.password) == ("db.example", 1234, "s3cret")
    assert (
        repr(resolved)
        == repr(database)
        == "Database(host='db.example', port=EnvVar('WA_PORT'), password=EnvVar('WA_PASSWORD'))"
    )
    assert "s3cret" not in f"{resolved} {resolved!r} {resolved.__repr_args__()}"


@pytest.mark.semantics(19)
def test_variables_of_nested_resources_are_read_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PASSWORD", "s3cret")

    resolved = Warehouse(database=Database(host="h", password=EnvVar("WA_PASSWORD"))).resolve()

    assert (resolved.database.password, "s3cret" in repr(resolved)) == ("s3cret", False)


@pytest.mark.semantics(19)
def test_variables_in_lists_and_dicts_are_read_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bucket(ConfigurableResource):
        options: dict[str, str] = {}
        hosts: list[str] = []

    monkeypatch.setenv("WA_PASSWORD", "s3cret")

    resolved = Bucket(options={"key": "a", "secret": EnvVar("WA_PASSWORD")}, hosts=["h", EnvVar("WA_PASSWORD")]).resolve()

    assert (resolved.options, resolved.hosts) == ({"key": "a", "secret": "s3cret"}, ["h", "s3cret"])
    assert "s3cret" not in repr(resolved)


@pytest.mark.semantics(19)
def test_a_missing_variable_names_resource_and_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_HOST", raising=False)

    with pytest.raises(ResourceError, match=r"resource Database, field 'host': .*'WA_HOST' is not set"):
        Database(host=EnvVar("WA_HOST")).resolve()


@pytest.mark.semantics(19)
def test_a_value_from_a_variable_is_validated_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PORT", "s3cret")

    with pytest.raises(InvalidConfigError) as caught:
        Database(host="h", port=EnvVar("WA_PORT")).resolve()

    assert str(caught.value).startswith("resource Database: field 'port': input should be a valid integer")
    assert "s3cret" not in str(caught.value)


def test_a_resource_without_variables_is_used_as_it_is() -> None:
    warehouse = Warehouse(database=Database(host="h"))

    assert warehouse.resolve() is warehouse


@pytest.mark.semantics(19)
def test_a_resource_can_be_configured_anew() -> None:
    changed = Database(host="h", password=EnvVar("WA_PASSWORD")).with_config({"port": 1})

    assert repr(changed) == "Database(host='h', port=1, password=EnvVar('WA_PASSWORD'))"


@pytest.mark.semantics(18, 19)
def test_configuring_an_unknown_field_is_an_error() -> None:
    with pytest.raises(InvalidConfigError, match=r"unknown field 'prt' \(did you mean 'port'\?\)"):
        Database(host="h").with_config({"prt": 1})


@pytest.mark.semantics(19)
def test_equal_resources_are_equal() -> None:
    assert Database(host="h") == Database(host="h") != Database(host="i")


@pytest.mark.semantics(28)
def test_an_io_manager_can_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shelf(ConfigurableIOManager):
        folder: str

        def handle_output(self, context: Any, obj: Any) -> None: ...

        def load_input(self, context: Any) -> str:
            return self.folder

    monkeypatch.setenv("WA_FOLDER", "a/b")

    assert Shelf(folder=EnvVar("WA_FOLDER")).resolve().load_input(None) == "a/b"


def test_an_io_manager_has_to_have_both_methods() -> None:
    class Half(ConfigurableIOManager):
        def load_input(self, context: Any) -> None: ...

    with pytest.raises(TypeError, match="handle_output"):
        Half()


@pytest.mark.semantics(19)
def test_a_field_may_have_a_variable_as_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    class Service(ConfigurableResource):
        token: str = EnvVar("WA_TOKEN")

    monkeypatch.setenv("WA_TOKEN", "s3cret")

    resolved = Service().resolve()

    assert (resolved.token, repr(resolved)) == ("s3cret", "Service(token=EnvVar('WA_TOKEN'))")
