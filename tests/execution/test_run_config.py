from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import Config, ConfigurableResource, EnvVar, Instance, IOManager, RunConfig, asset, materialize
from warehouse_assets.errors import InvalidConfigError


class Limits(Config):
    rows: int
    name: str = "all"


class Optional(Config):
    rows: int = 7


class Database(ConfigurableResource):
    host: str = "localhost"
    password: str = ""


@asset(key_prefix="raw")
def orders(config: Limits) -> tuple[int, str]:
    return config.rows, config.name


@asset
def typed(limits: Optional) -> int:
    return limits.rows


@asset
def untyped(config) -> Any:
    return config


@asset(required_resource_keys={"database"})
def place(context) -> str:
    return context.resources.database.host


@pytest.mark.semantics(18)
@pytest.mark.parametrize("name", ["raw/orders", "raw__orders"])
@pytest.mark.parametrize(
    "write",
    [lambda name, values: {"ops": {name: {"config": values}}}, lambda name, values: RunConfig(ops={name: Limits(**values)})],
    ids=["dict", "objects"],
)
def test_an_asset_is_configured_by_its_key_or_its_functions_name(write: Any, name: str, store: IOManager) -> None:
    result = materialize([orders], run_config=write(name, {"rows": 3}), resources={"io_manager": store})

    assert result.asset_value("raw/orders") == (3, "all")


@pytest.mark.semantics(18)
def test_a_plain_dict_fits_inside_a_run_config_too(store: IOManager) -> None:
    run_config = RunConfig(ops={"raw/orders": {"rows": 3, "name": "x"}})

    assert materialize([orders], run_config=run_config, resources={"io_manager": store}).asset_value("raw/orders") == (3, "x")


@pytest.mark.semantics(18)
def test_without_any_the_defaults_are_used(store: IOManager) -> None:
    assert materialize([typed], resources={"io_manager": store}).asset_value("typed") == 7


@pytest.mark.semantics(18)
def test_a_parameter_named_config_takes_any_dict(store: IOManager) -> None:
    values = [
        materialize([untyped], run_config=run_config, resources={"io_manager": store}).asset_value("untyped")
        for run_config in (None, {"ops": {"untyped": {"config": {"a": [1]}}}})
    ]

    assert values == [{}, {"a": [1]}]


@pytest.mark.semantics(18)
@pytest.mark.parametrize(
    ("run_config", "message"),
    [
        ({}, "asset 'raw/orders': missing field 'rows'"),
        (
            {"ops": {"raw/orders": {"config": {"rows": "x"}}}},
            "asset 'raw/orders': field 'rows': input should be a valid integer",
        ),
        ({"ops": {"raw/orders": {"config": {"rows": 1, "nam": 2}}}}, "unknown field 'nam' (did you mean 'name'?)"),
        ({"ops": {"raw/orders": {"config": 3}}}, "asset 'raw/orders'"),
        ({"ops": {"raw/order": {"config": {}}}}, "'raw/order', which is no asset of this run. Did you mean 'raw/orders'"),
        ({"ops": {"raw/orders": {"rows": 1}}}, "ops.raw/orders has the entry 'rows', where only 'config' is known"),
        ({"ops": []}, "the section 'ops' of the run configuration is not a mapping"),
        ({"op": {}}, "run configuration has no section 'op'. Did you mean 'ops'?"),
        (3, "run configuration is a RunConfig or a dict, not 3"),
        ({"resources": {"databas": {"config": {}}}}, "the resource 'databas', which is not given. Did you mean 'database'?"),
        ({"resources": {"database": {"config": {"hots": 1}}}}, "unknown field 'hots' (did you mean 'host'?)"),
        ({"resources": {"rate": {"config": {"x": 1}}}}, "the resource 'rate' takes no configuration"),
        ({"resources": {"database": {"config": 3}}}, "resource Database: its configuration is a mapping, not 3"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_an_error_before_anything_runs(
    run_config: Any, message: str, store: Any, instance: Instance
) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        materialize(
            [orders, typed, place],
            run_config=run_config,
            resources={"io_manager": store, "database": Database(), "rate": 2},
            instance=instance,
        )

    assert message in str(caught.value)
    assert (store.stored, instance.get_runs()) == ([], [])


@pytest.mark.semantics(18)
def test_all_faults_are_named_at_once(store: IOManager) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        materialize(
            [orders, typed],
            run_config={
                "ops": {"typed": {"config": {"rows": "x"}}, "nothing": {"config": {}}},
                "resources": {"no": {"config": {}}},
            },
            resources={"io_manager": store},
        )

    assert [word in str(caught.value) for word in ("'nothing'", "'no'", "'raw/orders': missing", "'typed': field")] == [
        True
    ] * 4


@pytest.mark.semantics(18, 19)
@pytest.mark.parametrize(
    "run_config",
    [{"resources": {"database": {"config": {"host": "other"}}}}, RunConfig(resources={"database": Database(host="other")})],
    ids=["dict", "object"],
)
def test_a_resource_is_configured_by_the_run(run_config: Any, store: IOManager) -> None:
    result = materialize([place], run_config=run_config, resources={"io_manager": store, "database": Database(host="h")})

    assert result.asset_value("place") == "other"


@pytest.mark.semantics(18)
def test_the_record_of_the_run_keeps_the_configuration_of_assets(store: IOManager, instance: Instance) -> None:
    run_config = RunConfig(ops={"raw/orders": Limits(rows=3)}, resources={"database": {"host": "h"}})

    result = materialize(
        [orders, place], run_config=run_config, resources={"io_manager": store, "database": Database()}, instance=instance
    )

    assert instance.get_run_record(result.run_id).config == {"ops": {"raw/orders": {"config": {"rows": 3, "name": "all"}}}}


@pytest.mark.semantics(19)
def test_a_variable_in_the_configuration_is_read_and_never_recorded(
    store: IOManager, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asset(required_resource_keys={"database"})
    def secret(context) -> bool:
        return context.resources.database.password == "s3cret"

    monkeypatch.setenv("WA_PASSWORD", "s3cret")

    result = materialize(
        [secret],
        run_config=RunConfig(resources={"database": Database(password=EnvVar("WA_PASSWORD"))}),
        resources={"io_manager": store, "database": Database()},
        instance=instance,
    )
    recorded = f"{instance.get_run_record(result.run_id)} {instance.get_event_records()}"

    assert (result.asset_value("secret"), "s3cret" in recorded) == (True, False)
