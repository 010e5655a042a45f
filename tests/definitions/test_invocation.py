from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    AssetIn,
    AssetOut,
    AssetsDefinition,
    Config,
    ConfigurableResource,
    DataVersion,
    In,
    Nothing,
    OpExecutionContext,
    Out,
    Output,
    SourceAsset,
    asset,
    build_asset_context,
    build_op_context,
    graph,
    graph_asset,
    multi_asset,
    observable_source_asset,
    op,
)
from warehouse_assets.errors import InvalidConfigError, InvalidInvocationError

pytestmark = pytest.mark.semantics(34)


class Size(Config):
    rows: int = 1
    name: str


class Rate(ConfigurableResource):
    factor: int


@asset
def plain(orders: list[int], customers: str = "none") -> tuple[list[int], str]:
    return orders, customers


@asset(required_resource_keys={"mailer"})
def full(context: AssetExecutionContext, config: Size, orders: list[int], rate: Rate) -> dict[str, Any]:
    context.log.debug("called")
    return {"name": config.name, "orders": [n * rate.factor for n in orders], "mailer": context.resources.mailer}


CONTEXT = {"resources": {"mailer": "post", "rate": Rate(factor=2)}, "asset_config": {"name": "n"}}
MADE = {"name": "n", "orders": [2, 4], "mailer": "post"}


def test_inputs_are_given_by_position_or_name() -> None:
    assert plain([1]) == ([1], "none")
    assert plain(orders=[1], customers="ann") == ([1], "ann")
    assert plain([1], customers="ann") == plain([1], "ann")


def test_a_context_gives_what_is_not_given_otherwise() -> None:
    assert full(build_asset_context(**CONTEXT), [1, 2]) == MADE
    assert full(context=build_asset_context(**CONTEXT), orders=[1, 2]) == MADE


def test_configuration_and_resources_are_given_by_name_too() -> None:
    context = build_asset_context(resources={"mailer": "post"})

    assert full(context, [1, 2], config=Size(name="n"), rate=Rate(factor=2)) == MADE
    assert full(context, Size(name="n"), [1, 2], Rate(factor=2)) == MADE
    assert full(context, [1, 2], config={"name": "n"}, rate=Rate(factor=2)) == MADE


def test_a_function_without_a_context_may_be_given_one() -> None:
    @asset
    def rated(orders: list[int], rate: Rate) -> list[int]:
        return [n * rate.factor for n in orders]

    assert plain(build_asset_context(), [1]) == ([1], "none")
    assert rated(build_asset_context(resources={"rate": Rate(factor=3)}), [1, 2]) == [3, 6]


def test_a_config_with_defaults_need_not_be_given() -> None:
    class Defaults(Config):
        rows: int = 4

    assert asset(name="a")(lambda config: config)() == {}

    @asset
    def sized(config: Defaults) -> int:
        return config.rows

    assert sized() == 4


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: full([1]), InvalidInvocationError, "asset 'full' takes a context, and none is given"),
        (
            lambda: full(build_asset_context(resources={"mailer": ""}), [1], config=Size(name="n")),
            InvalidInvocationError,
            "asset 'full' needs the resource 'rate' (*). Give it as rate=…, or by build_asset_context(resources={'rate': …}).",
        ),
        (
            lambda: full(build_asset_context(), [1], config=Size(name="n"), rate=Rate(factor=1)),
            InvalidInvocationError,
            "asset 'full' needs the resource 'mailer' (*). Give it by build_asset_context(resources={'mailer': …}).",
        ),
        (lambda: full(build_asset_context(**{**CONTEXT, "asset_config": {}}), [1]), InvalidConfigError, "missing field 'name'"),
        (lambda: plain(), InvalidInvocationError, "asset 'plain' needs the input 'orders'"),
        (lambda: plain([1], "a", "b"), InvalidInvocationError, "is given 3 values by position, and takes 2 (*). They are"),
        (lambda: plain([1], orders=[2]), InvalidInvocationError, "asset 'plain' is given 'orders' twice"),
        (lambda: plain([1], customer="a"), InvalidInvocationError, "has no argument 'customer' (*). Did you mean 'customers'?"),
    ],
    ids=["context", "resource", "required resource", "config", "input", "too many", "twice", "unknown"],
)
def test_what_is_missing_or_too_much_is_said(call: Any, error: type[Exception], message: str) -> None:
    pattern = re.escape(message).replace(r"\(\*\)", r"\(.*test_invocation\.py:\d+\)")

    with pytest.raises(error, match=pattern):
        call()


def test_a_generator_asset_returns_its_generator() -> None:
    @asset
    def rows() -> Iterator[Output[int]]:
        yield Output(3, metadata={"n": 1})

    made = rows()

    assert [(item.value, item.output_name) for item in made] == [(3, "result")]


def test_a_multi_asset_gives_what_its_function_gives() -> None:
    @multi_asset(outs={"a": AssetOut("x"), "b": AssetOut("x")}, ins={"raw": AssetIn("raw/orders")})
    def both(context: AssetExecutionContext, raw: list[int]) -> tuple[int, frozenset[str]]:
        context.add_output_metadata({"rows": 1}, output_name="b")
        context.add_output_metadata({"more": 2}, asset_key="x/b")
        return len(raw), context.selected_output_names

    context = build_asset_context()

    assert both(context, raw=[1, 2]) == (2, {"a", "b"})
    assert context.get_output_metadata("b") == {"rows": 1, "more": 2}
    assert {key.to_user_string() for key in context.selected_asset_keys} == {"x/a", "x/b"}


def test_keyword_arguments_and_positional_only_ones_arrive() -> None:
    @asset(ins={"b": AssetIn("x/b")})
    def any_of(a: int, /, c: int = 0, **others: int) -> tuple[int, int, dict[str, int]]:
        return a, c, others

    assert any_of(1, b=2) == (1, 0, {"b": 2})
    assert any_of(a=1, c=3) == (1, 3, {})


def test_an_op_is_called_like_an_asset() -> None:
    @op(ins={"start": In(Nothing), "more": In(default_value=10)}, required_resource_keys={"rate"})
    def scaled(context: OpExecutionContext, config: Size, n: int, more: int) -> int:
        context.add_output_metadata({"factor": context.resources.rate})
        return n * context.resources.rate * config.rows + more

    context = build_op_context(resources={"rate": 3}, op_config={"name": "x", "rows": 2})

    assert (scaled(context, 5), scaled(context, n=5, more=0, start=None)) == (40, 30)
    assert context.get_output_metadata("result") == {"factor": 3}
    with pytest.raises(InvalidInvocationError, match="op 'scaled' takes a context, and none is given"):
        scaled(5)


def test_a_graph_hands_values_over_and_passes_the_context_on() -> None:
    @op
    def parsed(context: OpExecutionContext, raw: str) -> Output[list[int]]:
        return Output([int(n) * context.resources.rate for n in raw.split()], metadata={"raw": raw})

    @op(out={"small": Out(), "large": Out()})
    def parted(numbers: list[int], rate: Rate) -> Iterator[Output[Any]]:
        yield Output([n for n in numbers if n <= 4], "small")
        yield Output([n for n in numbers if n > 4], "large")

    @graph
    def large_ones(raw):
        return parted(parsed(raw)).large

    @graph_asset
    def orders(raw):
        return large_ones(raw)

    context = build_asset_context(resources={"rate": 2})

    assert orders(context, "1 2 3") == [6]
    assert orders(context, raw="4") == [8]
    with pytest.raises(InvalidInvocationError, match="op 'parsed' takes a context, and none is given"):
        orders("1 2 3")


def test_assets_from_an_op_or_graph_are_called_too() -> None:
    doubled = op(name="doubled")(lambda n: 2 * n)

    @graph
    def fourfold(n):
        return doubled(doubled(n))

    assert AssetsDefinition.from_op(doubled)(2) == 4
    assert AssetsDefinition.from_graph(fourfold)(2) == 8


def test_the_function_of_an_observed_source_is_called() -> None:
    @observable_source_asset
    def landed(context: AssetExecutionContext, rate: Rate) -> DataVersion:
        return DataVersion(f"{context.asset_key.to_user_string()} {rate.factor}")

    assert landed(build_asset_context(resources={"rate": Rate(factor=2)})) == DataVersion("landed 2")
    with pytest.raises(InvalidInvocationError, match="source 'raw' has no function to call"):
        SourceAsset("raw")()
