"""What makes a suite of tests a contract: its promises are not overridden in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Contract", "departs"]

F = TypeVar("F", bound=Callable[..., Any])


def departs(reason: str) -> Callable[[F], F]:
    """Mark a test that shows what holds instead of the promise it overrides, and say why the promise is not kept."""

    def mark(test: F) -> F:
        test.departure = reason  # type: ignore[attr-defined]
        return test

    return mark


class Contract:
    """A suite of promises. A subclass that overrides one has to mark its own test with `departs`.

    >>> class Promises(Contract):
    ...     def test_it_keeps_none(self): ...
    >>> class TestStore(Promises):
    ...     def test_it_keeps_none(self): ...
    Traceback (most recent call last):
    TypeError: TestStore.test_it_keeps_none overrides a promise of Promises; mark it with @departs("the reason")
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in vars(cls).items():
            promised = next((base for base in cls.__mro__[1:] if name in vars(base)), None)
            if name.startswith("test_") and promised is not None and not getattr(test, "departure", None):
                raise TypeError(
                    f'{cls.__name__}.{name} overrides a promise of {promised.__name__}; mark it with @departs("the reason")'
                )
