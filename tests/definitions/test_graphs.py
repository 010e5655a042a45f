from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import (
    AssetIn,
    AssetKey,
    AssetOut,
    AssetsDefinition,
    Config,
    GraphIn,
    GraphOut,
    In,
    Nothing,
    Out,
    RetryPolicy,
    graph,
    graph_asset,
    graph_multi_asset,
    op,
)
from warehouse_assets.definitions.composition import GraphInput, OpOutput
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, InvalidInvocationError


def keys(*texts: str) -> set[AssetKey]:
    return {AssetKey.coerce(text) for text in texts}


def by_text(mapping: Any) -> dict[str, Any]:
    return {key.to_user_string(): value for key, value in mapping.items()}


@op
def one() -> int:
    """Gives one."""
    return 1


@op
def add(x: Any, y: Any, z: int = 0) -> Any:
    return x + y + z


@op(out={"low": Out(), "high": Out(is_required=False)})
def split(rows: Any) -> Any:
    return rows, rows


@op
def total(parts: list[Any]) -> int:
    return sum(parts)


@graph
def twice(rows: Any) -> Any:
    return add(rows, rows)


# ops


@pytest.mark.semantics(17)
def test_an_op_says_what_goes_in_and_comes_out() -> None:
    @op(name="own", ins={"start": In(Nothing), "rows": In(list)}, required_resource_keys={"db"}, tags={"t": 1}, pool="p")
    def declared(context: Any, rows: Any, limit: int = 3) -> None:
        """Does it."""

    assert (declared.name, declared.description, declared.input_names) == ("own", "Does it.", ("rows", "limit", "start"))
    assert (declared.optional_inputs, declared.output_names) == ({"limit", "start"}, ("result",))
    assert (declared.outs["result"].is_nothing, declared.annotation("rows"), declared.resource_keys) == (True, list, {"db"})


@pytest.mark.semantics(17, 34)
def test_an_op_called_outside_of_a_graph_calls_its_function() -> None:
    assert (add(1, y=2), split([1])) == (3, ([1], [1]))


@pytest.mark.semantics(17)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a-b"}, "op 'a-b': the name 'a-b' is not allowed"),
        ({"name": "config"}, "the name 'config' is not allowed"),
        ({"ins": {"q": In()}}, r"ins names 'q', which is no argument of the function.* It has \['x'\]"),
        ({"ins": {"x": 3}}, "the input 'x' is 3, not an In"),
        ({"out": {"a": 3}}, "the output 'a' is 3, not an Out"),
        ({"out": {"a b": Out()}}, "the output 'a b' is not allowed"),
    ],
)
def test_an_op_that_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    def fn(x: Any) -> Any:
        return x

    with pytest.raises(InvalidDefinitionError, match=message):
        op(**options)(fn)


def test_an_op_is_not_asynchronous() -> None:
    async def fn() -> None: ...

    with pytest.raises(InvalidDefinitionError, match="op 'fn': the function is asynchronous"):
        op(fn)


# graphs


@pytest.mark.semantics(17)
def test_a_graph_knows_its_ops_and_what_goes_where() -> None:
    @graph
    def declared(x: Any) -> Any:
        """Adds."""
        return add(one(), add(x, y=x))

    assert {node.name: dict(node.inputs) for node in declared.nodes.values()} == {
        "one": {},
        "add": {"x": GraphInput("x"), "y": GraphInput("x")},
        "add_2": {"x": OpOutput("one", "result"), "y": OpOutput("add", "result")},
    }
    assert (declared.outputs, declared.description) == ({"result": OpOutput("add_2", "result")}, "Adds.")


@pytest.mark.semantics(17)
def test_a_graph_inside_of_another_becomes_a_part_of_it() -> None:
    @graph(out={"a": GraphOut(), "b": GraphOut()})
    def inner(rows: Any, others: Any) -> Any:
        low, high = split(rows)
        return low, total([high, others])

    @graph
    def outer(x: Any) -> Any:
        first = inner(x, x)
        return total([inner.alias("again")([first.a, x], others=first.b).b, one()])

    assert {node.name: dict(node.inputs) for node in outer.nodes.values()} == {
        "inner.split": {"rows": GraphInput("x")},
        "inner.total": {"parts": (OpOutput("inner.split", "high"), GraphInput("x"))},
        "again.split": {"rows": (OpOutput("inner.split", "low"), GraphInput("x"))},
        "again.total": {"parts": (OpOutput("again.split", "high"), OpOutput("inner.total", "result"))},
        "one": {},
        "total": {"parts": (OpOutput("again.total", "result"), OpOutput("one", "result"))},
    }


@pytest.mark.semantics(17)
@pytest.mark.parametrize(
    ("returned", "out", "names"),
    [
        (lambda: one(), None, ["result"]),
        (lambda: {"a": one(), "b": one()}, None, ["a", "b"]),
        (lambda: split(one()), None, ["low", "high"]),
        (lambda: (one(), one()), {"p": GraphOut(), "q": GraphOut()}, ["p", "q"]),
        (lambda: {"q": one(), "p": one()}, {"p": GraphOut(), "q": GraphOut()}, ["q", "p"]),
        (lambda: one(), {"p": GraphOut()}, ["p"]),
        (lambda: one(), GraphOut("text"), ["result"]),
        (lambda: None, None, []),
    ],
    ids=["one", "dict", "named tuple", "tuple", "dict declared", "one declared", "one described", "nothing"],
)
def test_what_a_graph_returns_is_what_comes_out(returned: Any, out: Any, names: list[str]) -> None:
    assert list(graph(name="g", out=out)(returned).outputs) == names


@pytest.mark.semantics(17, 34)
def test_a_graph_called_outside_of_another_calls_the_functions_of_its_ops() -> None:
    @graph(ins={"x": GraphIn("a number")})
    def declared(x: Any) -> Any:
        return add(one(), add(x, x))

    assert declared(5) == 11


def test_an_alias_has_a_meaning_in_a_graph_only() -> None:
    with pytest.raises(InvalidInvocationError, match="'other' is an alias"):
        one.alias("other")()


@pytest.mark.semantics(17)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda x: add(x), "the input 'y' of 'add' is not connected"),
        (lambda x: add(x, twice()), "the input 'rows' of 'twice' is not connected"),
        (lambda x: add(x, 1), "the input 'y' of 'add' is given 1, which is no output of an op"),
        (lambda x: add(x, [x, 1]), r"the input 'y' of 'add' is given \[.*\], which is no output of an op"),
        (lambda x: add(x, split(x)), "the input 'y' of 'add' is given several outputs at once.* It is one of low, high"),
        (lambda x: add(x, x, x, x), r"'add' is given 4 inputs, and has 3.* They are \['x', 'y', 'z'\]"),
        (lambda x: add(x, x, zz=x), "'add' has no input 'zz'"),
        (lambda x: add(x, x, x=x), "'add' is given its input 'x' twice"),
        (lambda x: add(one.alias("n")(), total.alias("n")([x])), "the name 'n' is used twice"),
        (lambda x: one(), "the input 'x' goes into no op"),
        (
            lambda x: total([x]) and x,
            r"the output 'result' is GraphInput\(name='x'\), which is no output of an op of the graph",
        ),
        (lambda x: (add(x, x), one()), "returns 2 outputs, which cannot be told apart.* Return a dict"),
        (lambda context, x: add(x, context), "its parameter 'context' is no input"),
        (lambda x, y=1: add(x, y), "its parameter 'y' has a default value"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_a_graph_cannot_connect_is_told_with_its_line(body: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message) as caught:
        graph(name="g")(body)

    assert f"({Path(__file__)}:{body.__code__.co_firstlineno})" in str(caught.value)


@pytest.mark.semantics(17)
def test_outputs_that_are_declared_and_returned_are_the_same() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        graph(name="g", out={"a": GraphOut(), "b": GraphOut()}, ins={"q": GraphIn()})(lambda: {"a": one(), "c": one()})

    messages = [error.message for error in caught.value.exceptions]
    assert messages == [
        "graph 'g': the output 'b' is declared and not returned",
        "graph 'g': the output 'c' is returned and not declared",
        "graph 'g': ins names 'q', which is no argument of the function",
    ]


def test_what_the_function_of_a_graph_raises_is_raised_with_a_note() -> None:
    with pytest.raises(AttributeError) as caught:
        graph(name="g")(lambda x: add(x, x).filter())

    assert "connects ops and computes nothing" in caught.value.__notes__[0]


@pytest.mark.parametrize("first", ["import warehouse_assets.graph.asset_graph", "from warehouse_assets import graph", ""])
def test_the_decorator_and_the_package_of_one_name_get_along(first: str) -> None:
    program = f"""{first}
from warehouse_assets import graph
from warehouse_assets.definitions.graphs import GraphDefinition
from warehouse_assets.graph.asset_graph import AssetGraph
import warehouse_assets.graph.selection
from warehouse_assets import graph
@graph
def bare(): pass
assert isinstance(bare, GraphDefinition)
assert isinstance(graph(name="named")(lambda: None), GraphDefinition)
"""

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True
    )

    assert done.stderr == ""


# assets of graphs and ops


@pytest.mark.semantics(17)
def test_a_graph_asset_is_an_asset() -> None:
    @graph_asset(
        key_prefix="x", ins={"y": AssetIn("raw/y")}, group_name="g", metadata={"m": 1}, code_version="2", owners=["a@b.c"]
    )
    def sums(orders: Any, y: Any) -> Any:
        """Sums."""
        return add(orders, y)

    spec = sums.get_asset_spec()
    assert (sums.key, sums.dependency_keys, spec.description) == (AssetKey(["x", "sums"]), keys("orders", "raw/y"), "Sums.")
    assert (spec.group_name, spec.metadata, spec.code_version, spec.owners) == ("g", {"m": 1}, "2", ("a@b.c",))
    assert (sums.node_name, sums(1, 2)) == ("x__sums", 3)


@pytest.mark.semantics(17)
def test_what_the_op_says_of_its_output_holds_for_the_asset() -> None:
    @op(out=Out(io_manager_key="lake", metadata={"m": 1}, description="Made by an op.", is_required=False), code_version="7")
    def made() -> int:
        return 1

    spec = graph_asset(name="a")(lambda: made()).get_asset_spec()

    assert (spec.io_manager_key, spec.metadata, spec.description) == ("lake", {"m": 1}, "Made by an op.")
    assert (spec.code_version, spec.skippable) == ("7", True)


@pytest.mark.semantics(17)
@pytest.mark.parametrize(
    ("declare", "dangling"),
    [
        (lambda: graph_asset(name="g")(lambda rows: [total([rows]), one()][1]), "total"),
        (lambda: graph_multi_asset(outs={"a": AssetOut()}, name="g")(lambda rows: {"a": [split(rows), one()][1]}), "split"),
        (lambda: AssetsDefinition.from_graph(graph(name="g")(lambda rows: [total([rows]), one()][1])), "total"),
    ],
    ids=["graph_asset", "graph_multi_asset", "from_graph"],
)
def test_a_graph_asset_with_a_dangling_op_is_an_error(declare: Any, dangling: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=f"nothing is made of what the op '{dangling}' gives \\({__file__}:"):
        declare()


@pytest.mark.semantics(17)
def test_a_graph_that_gives_nothing_makes_no_assets() -> None:
    with pytest.raises(InvalidDefinitionError, match="assets from 'g': it has no outputs, and so makes no assets"):
        AssetsDefinition.from_graph(graph(name="g")(lambda: None))


@pytest.mark.semantics(17)
def test_a_graph_makes_an_asset_of_each_output() -> None:
    @graph(out={"a": GraphOut("The a."), "b": GraphOut()})
    def declared(orders: Any, customers: Any) -> Any:
        return total([orders]), total([customers])

    whole = AssetsDefinition.from_graph(
        declared,
        keys_by_input_name={"orders": "raw/orders"},
        keys_by_output_name={"b": ["x", "y"]},
        key_prefix="p",
        group_names_by_output_name={"a": "g"},
        metadata_by_output_name={"a": {"m": 1}},
        descriptions_by_output_name={"b": "The b."},
        code_versions_by_output_name={"b": "3"},
        tags_by_output_name={"a": {"t": "x"}},
    )
    parts = AssetsDefinition.from_graph(declared, can_subset=True, group_name="h")

    assert by_text(whole.asset_deps) == dict.fromkeys(["p/a", "p/x/y"], keys("raw/orders", "customers"))
    assert by_text(parts.asset_deps) == {"a": keys("orders"), "b": keys("customers")}
    assert by_text(whole.group_names_by_key) == {"p/a": "g", "p/x/y": "default"}
    assert by_text(whole.metadata_by_key) == {"p/a": {"m": 1}, "p/x/y": {}}
    assert by_text(whole.descriptions_by_key) == {"p/a": "The a.", "p/x/y": "The b."}
    assert by_text(whole.code_versions_by_key) == {"p/a": None, "p/x/y": "3"}


@pytest.mark.semantics(17)
def test_dependencies_among_the_assets_of_a_graph_are_declared() -> None:
    @graph_multi_asset(outs={"a": AssetOut("x"), "b": AssetOut()}, can_subset=True, group_name="g")
    def parts(orders: Any) -> Any:
        low, high = split(orders)
        return {"a": low, "b": high}

    declared = AssetsDefinition.from_graph(parts.graph, internal_asset_deps={"b": ["a"]})

    assert {name: output.is_required for name, output in parts.outputs.items()} == {"a": True, "b": False}
    assert by_text(declared.asset_deps) == {"a": keys("orders"), "b": keys("a")}


@pytest.mark.semantics(17)
def test_an_op_makes_an_asset_of_each_output() -> None:
    @op(ins={"start": In(Nothing)}, retry_policy=RetryPolicy(2), required_resource_keys={"db"}, code_version="4")
    def sums(rows: Any) -> int:
        return sum(rows)

    of_sums = AssetsDefinition.from_op(sums, keys_by_input_name={"rows": "raw/rows"})
    of_split = AssetsDefinition.from_op(split, key_prefix="p")

    assert (of_sums.key, of_sums.dependency_keys) == (AssetKey("sums"), keys("raw/rows", "start"))
    assert (of_sums.retry_policy, of_sums.required_resource_keys) == (RetryPolicy(2), {"db"})
    assert by_text(of_sums.code_versions_by_key) == {"sums": "4"}
    assert (of_split.keys, [spec.skippable for spec in of_split.specs]) == (keys("p/low", "p/high"), [False, True])


@pytest.mark.semantics(17)
def test_names_of_no_input_or_output_are_refused_all_at_once() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        AssetsDefinition.from_op(add, keys_by_input_name={"q": "a"}, keys_by_output_name={"r": "b"}, group_name="?")

    assert [error.message for error in caught.value.exceptions] == [
        "assets from 'add': there is no output 'r'",
        "assets from 'add': there is no input 'q'",
        "asset 'add': the group name '?' is not allowed",
    ]


@pytest.mark.semantics(17)
def test_a_graph_takes_inputs_only() -> None:
    class Limits(Config):
        most: int

    def body(limits: Limits, rows: Any) -> Any:
        return add(rows, limits)

    with pytest.raises(InvalidDefinitionError, match="its parameter 'limits' is no input"):
        graph_asset(body)
