"""The process of one code location: `python -m warehouse_assets.code_location.server MODULE`, in its working directory.

It loads the module, tells whether that went well, and answers, each question in a thread of its own, until nobody asks any more. Messages are msgpack, after their length as four
bytes. What user code prints goes to the standard error.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from warehouse_assets.code_location.questions import answer_of
from warehouse_assets.code_location.snapshot import Answer, Request

__all__ = ["main", "read_message", "write_message"]


def read_message(stream: IO[bytes]) -> bytes | None:
    """The next message; None where the other side has gone."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    return body if len(body) == size else None


def write_message(stream: IO[bytes], body: bytes) -> None:
    """Write a message."""
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


def main() -> None:
    """Load the module that the only argument names, and answer."""
    from warehouse_assets.code_location.loading import load_definitions

    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # user code reads nothing here
    os.dup2(2, 1)
    encode = msgspec.msgpack.encode
    try:
        definitions = load_definitions(sys.argv[1], Path.cwd())
    except BaseException as error:  # noqa: BLE001 - what a module raises, SystemExit too, is the answer
        write_message(answers, encode(_failed(error)))
        return
    write_message(answers, encode(Answer()))
    decoder, turn = msgspec.msgpack.Decoder(Request), threading.Lock()

    def reply(request: Request) -> None:
        try:
            answer = Answer(request.number, answer_of(request.question, definitions, request.payload))
        except BaseException as error:  # noqa: BLE001 - so it is for questions
            answer = _failed(error, request.number)
        with turn, suppress(OSError):  # nobody may ask any more
            write_message(answers, encode(answer))

    while (message := read_message(questions)) is not None:
        threading.Thread(target=reply, args=[decoder.decode(message)], daemon=True).start()


def _failed(error: BaseException, number: int = 0) -> Answer:
    """The error as one line that says where, and its traceback."""
    from warehouse_assets.errors import WarehouseAssetsError

    trace = "".join(traceback.format_exception(error))
    if isinstance(error, WarehouseAssetsError):
        message = getattr(error, "message", str(error))
        return Answer(number, error=str(error), kind=type(error).__name__, message=message, hint=error.hint, traceback=trace)
    text = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename:
        text = f"SyntaxError: {error.msg} ({error.filename}:{error.lineno})"
    elif frames:
        text += f" ({frames[-1].filename}:{frames[-1].lineno})"
    return Answer(number, error=text, traceback=trace)


if __name__ == "__main__":
    main()
