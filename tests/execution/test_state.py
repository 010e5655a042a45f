from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse_assets import InProcessExecutor, RetryPolicy, ThreadExecutor, asset, materialize
from warehouse_assets.execution.plan import Plan
from warehouse_assets.execution.state import RunState, Start
from warehouse_assets.graph.asset_graph import AssetGraph

SUCCESS, NO_OUTPUT, FAILURE, RETRY = "success", "no_output", "failure", "retry"


@st.composite
def dags(draw: st.DrawFn) -> list[set[int]]:
    """For each node, the earlier nodes that it depends on."""
    size = draw(st.integers(1, 9))
    return [draw(st.sets(st.integers(0, node - 1), max_size=3)) if node else set() for node in range(size)]


def blocked(dag: list[set[int]], ends: list[str]) -> set[int]:
    """The nodes downstream of one that made no table."""
    found: set[int] = set()
    for node, parents in enumerate(dag):
        if any(parent in found or ends[parent] in (FAILURE, NO_OUTPUT) for parent in parents):
            found.add(node)
    return found


def plan_of(dag: list[set[int]]) -> Plan:
    assets = [asset(name=f"n{i}", deps=[f"n{j}" for j in parents])(lambda: None) for i, parents in enumerate(dag)]
    graph = AssetGraph.build(assets)
    return Plan.build(graph, graph.executable_keys)


@given(dags(), st.data())
def test_any_run_starts_each_step_once_per_attempt_and_ends(dag: list[set[int]], data: st.DataObject) -> None:
    state = RunState(plan_of(dag))
    ready = list(state.start())
    running: list[Start] = []
    started: list[tuple[str, int]] = []
    skipped: list[str] = []
    ends = [""] * len(dag)
    while True:
        for instruction in ready:
            if isinstance(instruction, Start):
                started.append((instruction.step.key, instruction.attempt))
                running.append(instruction)
            else:
                skipped.append(instruction.step.key)
        if not running:
            break
        start = running.pop(data.draw(st.integers(0, len(running) - 1)))
        outcome = data.draw(st.sampled_from([SUCCESS, SUCCESS, NO_OUTPUT, FAILURE, RETRY][: 5 if start.attempt < 4 else 4]))
        ends[int(start.step.key[1:])] = outcome
        if outcome == RETRY:
            ready = state.retry(start.step, 0.0)
        elif outcome == FAILURE:
            ready = state.failed(start.step)
        else:
            ready = state.succeeded(start.step, missing=start.step.asset_keys if outcome == NO_OUTPUT else ())

    expected = {f"n{node}" for node in blocked(dag, ends)}
    assert state.open == 0
    assert (len(started), len(skipped)) == (len(set(started)), len(set(skipped)))
    assert {step.key for step in state.steps_with("skipped")} == set(skipped) == expected
    assert {key for key, _ in started} == {f"n{node}" for node in range(len(dag))} - expected
    assert [step.key for step in state.steps_with("waiting", "running", "retrying")] == []


@given(dags())
def test_a_plan_has_every_step_after_those_it_needs(dag: list[set[int]]) -> None:
    plan = plan_of(dag)
    upstream = {step.key: {plan.steps[index].key for index in step.upstream} for step in plan.steps}

    assert upstream == {f"n{node}": {f"n{parent}" for parent in parents} for node, parents in enumerate(dag)}
    assert [step.index for step in plan.steps] == list(range(len(dag)))
    assert all(index < step.index for step in plan.steps for index in step.upstream)
    assert all(step.index in plan.steps[index].downstream for step in plan.steps for index in step.upstream)


@settings(max_examples=40)
@given(dags(), st.data(), st.booleans())
def test_real_runs_make_what_they_can_and_nothing_else(dag: list[set[int]], data: st.DataObject, threads: bool) -> None:
    ends = [data.draw(st.sampled_from([SUCCESS, SUCCESS, FAILURE, RETRY])) for _ in dag]
    calls: list[int] = []

    def declare(node: int) -> Any:
        def fn() -> None:
            first = node not in calls
            calls.append(node)
            if ends[node] == FAILURE or (ends[node] == RETRY and first):
                raise ValueError(node)

        retries = RetryPolicy() if ends[node] == RETRY else None
        return asset(name=f"n{node}", deps=[f"n{parent}" for parent in dag[node]], retry_policy=retries)(fn)

    executor = ThreadExecutor(3) if threads else InProcessExecutor()

    result = materialize([declare(node) for node in range(len(dag))], executor=executor, raise_on_error=False)

    stopped = blocked(dag, ends)
    assert set(result.steps("skipped")) == {f"n{node}" for node in stopped}
    assert sorted(calls) == sorted(
        node for node, end in enumerate(ends) if node not in stopped for _ in range(2 if end == RETRY else 1)
    )
    assert set(result.failures) == {f"n{node}" for node, end in enumerate(ends) if end == FAILURE and node not in stopped}
