from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import BackfillPolicy, Backoff, Jitter, RetryPolicy
from warehouse_assets.errors import InvalidDefinitionError


@pytest.mark.semantics(21)
@pytest.mark.parametrize(
    ("options", "chance", "delays"),
    [
        ({}, 0.5, [0, 0, 0]),
        ({"delay": 2}, 0.5, [2, 2, 2]),
        ({"delay": 2, "backoff": Backoff.LINEAR}, 0.5, [2, 4, 6]),
        ({"delay": 2, "backoff": Backoff.EXPONENTIAL}, 0.5, [2, 6, 14]),
        ({"delay": 2, "jitter": Jitter.FULL}, 0.25, [0.5, 0.5, 0.5]),
        ({"delay": 2, "backoff": Backoff.LINEAR, "jitter": Jitter.PLUS_MINUS}, 0.75, [3, 5, 7]),
        ({"delay": 2, "jitter": Jitter.PLUS_MINUS}, 0.0, [0, 0, 0]),
    ],
    ids=str,
)
def test_the_delay_grows_and_varies_as_declared(options: Any, chance: float, delays: list[float]) -> None:
    policy = RetryPolicy(max_retries=3, **options)

    assert [policy.seconds_before(retry, chance) for retry in (1, 2, 3)] == delays


@pytest.mark.semantics(21)
@pytest.mark.parametrize(
    "options", [{"max_retries": -1}, {"delay": -1}, {"backoff": Backoff.LINEAR}, {"jitter": Jitter.FULL}], ids=str
)
def test_a_policy_that_cannot_be_meant_is_refused(options: Any) -> None:
    with pytest.raises(InvalidDefinitionError):
        RetryPolicy(**options)


@pytest.mark.semantics(37)
def test_a_backfill_policy_makes_at_least_one_partition_at_once() -> None:
    assert BackfillPolicy.multi_run() == BackfillPolicy(max_partitions_per_run=1)
    with pytest.raises(InvalidDefinitionError, match="max_partitions_per_run is 0, below 1"):
        BackfillPolicy.multi_run(0)
