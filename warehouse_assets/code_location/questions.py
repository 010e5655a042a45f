"""Questions to the process of a code location: functions of its definitions, called there, with arguments and answers that msgpack carries."""

from __future__ import annotations

import importlib
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["Question", "answer_of", "answered", "asked", "name_of"]

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
Question: TypeAlias = "Callable[[Definitions, Asked], Answered]"


def name_of(question: Question[Any, Any]) -> str:
    """The name of a question, by which another process finds it: `module:function`."""
    return f"{question.__module__}:{question.__qualname__}"


def asked(request: Any) -> bytes:
    """An argument as msgpack."""
    return msgspec.msgpack.encode(request)


def answered(question: Question[Any, Answered], payload: bytes) -> Answered:
    """The answer that came back, of the type that the function says it returns."""
    answer: Answered = msgspec.msgpack.decode(payload, type=_types(question)[1])
    return answer


def answer_of(name: str, definitions: Definitions, payload: bytes) -> bytes:
    """The answer to the question of this name, as msgpack; LookupError where nothing answers it."""
    module, _, function = name.partition(":")
    if not module.startswith("warehouse_assets.") or not hasattr(importlib.import_module(module), function):
        raise LookupError(f"nothing answers {name!r}")
    question = getattr(importlib.import_module(module), function)
    return msgspec.msgpack.encode(question(definitions, msgspec.msgpack.decode(payload, type=_types(question)[0])))


def _types(question: Question[Any, Any]) -> tuple[Any, Any]:
    """The types of its argument and of its answer."""
    hints = typing.get_type_hints(question, localns={"Definitions": Any})
    given = next(reversed([name for name in hints if name != "return"]))
    return hints[given], hints["return"]
