"""When a failed step runs again, and how many partitions one run makes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.errors import Failure, RetryRequested

__all__ = ["BackfillPolicy", "Backoff", "Jitter", "RetryPolicy", "retry_delay"]


class Backoff(Enum):
    """How the delay grows with each retry: by its own length, or doubling."""

    LINEAR = "LINEAR"
    EXPONENTIAL = "EXPONENTIAL"


class Jitter(Enum):
    """How chance changes the delay: anything from none to all of it, or up to its own length more or less."""

    FULL = "FULL"
    PLUS_MINUS = "PLUS_MINUS"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Run a failed step again, at most `max_retries` times, after `delay` seconds, which may grow and vary."""

    max_retries: int = 1
    delay: float | None = None
    backoff: Backoff | None = None
    jitter: Jitter | None = None

    def __post_init__(self) -> None:
        faults = Faults(where=caller_place())
        if self.max_retries < 0:
            faults.add(f"max_retries is {self.max_retries}, below 0")
        if self.delay is not None and self.delay < 0:
            faults.add(f"the retry delay is {self.delay} s, below 0")
        if self.delay is None and (self.backoff or self.jitter):
            faults.add("a retry policy with backoff or jitter needs a delay")
        faults.settle("the retry policy")

    def seconds_before(self, retry: int, chance: float = 0.5) -> float:
        """The delay before the given retry (1 is the first), with `chance` in [0, 1) deciding the jitter.

        >>> RetryPolicy(max_retries=3, delay=2, backoff=Backoff.EXPONENTIAL).seconds_before(3)
        14.0
        """
        delay = float(self.delay or 0)
        if self.backoff is Backoff.LINEAR:
            delay *= retry
        elif self.backoff is Backoff.EXPONENTIAL:
            delay *= 2**retry - 1
        if self.jitter is Jitter.FULL:
            return chance * delay
        if self.jitter is Jitter.PLUS_MINUS:
            return max(0.0, delay + (2 * chance - 1) * (self.delay or 0))
        return delay


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """How many of the partitions that are asked for a function makes in one call; None: all of them.

    >>> BackfillPolicy.single_run(), BackfillPolicy.multi_run(7)
    (BackfillPolicy(max_partitions_per_run=None), BackfillPolicy(max_partitions_per_run=7))
    """

    max_partitions_per_run: int | None = None

    def __post_init__(self) -> None:
        if self.max_partitions_per_run is not None and self.max_partitions_per_run < 1:
            faults = Faults(where=caller_place())
            faults.add(f"max_partitions_per_run is {self.max_partitions_per_run}, below 1")
            faults.settle()

    @classmethod
    def single_run(cls) -> BackfillPolicy:
        """All of them at once: the function asks for `context.partition_keys` or `context.partition_time_window`."""
        return cls()

    @classmethod
    def multi_run(cls, max_partitions_per_run: int = 1) -> BackfillPolicy:
        """At most so many at once."""
        return cls(max_partitions_per_run)


def retry_delay(policy: RetryPolicy | None, attempt: int, error: BaseException, chance: float) -> float | None:
    """The seconds to wait after a failed attempt (1 is the first) before the next one; None where it has failed for good."""
    if isinstance(error, RetryRequested):
        return float(error.seconds_to_wait or 0) if attempt <= error.max_retries else None
    if policy is None or attempt > policy.max_retries or (isinstance(error, Failure) and not error.allow_retries):
        return None
    return policy.seconds_before(attempt, chance)
