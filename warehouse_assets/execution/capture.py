"""What steps say while they run: log records as events, and what they print in files of their own.

Which step says something is known by the thread it runs in; what threads say that a step itself started is of the run as a whole.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias
from urllib.parse import quote

from warehouse_assets.events import Event, LogEntry
from warehouse_assets.io_manager.contexts import logger

__all__ = ["LogEvents", "RunLog", "Stream", "captured_output", "current_step", "log_event", "log_file"]

current_step: ContextVar[str | None] = ContextVar("current_step", default=None)
Stream: TypeAlias = Literal["out", "err"]
_OPEN_FILES = 32
_LONGEST_NAME = 200  # file systems take 255 bytes
_format_exception = logging.Formatter().formatException


class RunLog(logging.Logger):
    """The log of a run, `context.log`: what is written to it is an event of the run, and passed on to the logger of the project."""

    def __init__(self, run_id: str, tell: Callable[[Event], None]) -> None:
        super().__init__(logger.name, min(logging.INFO, logger.getEffectiveLevel()))
        self._run_id = run_id
        self._tell = tell

    def handle(self, record: logging.LogRecord) -> None:
        self._tell(log_event(record, self._run_id))
        if logger.isEnabledFor(record.levelno):
            record.__dict__[_TOLD] = True
            logger.handle(record)


class LogEvents(logging.Handler):
    """Makes events of what other loggers are told while steps of a run run, at the levels that they are set to."""

    def __init__(self, run_id: str, tell: Callable[[Event], None]) -> None:
        super().__init__()
        self._run_id = run_id
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, _TOLD):
            self._tell(log_event(record, self._run_id))


_TOLD = "warehouse_assets_told"


def log_event(record: logging.LogRecord, run_id: str) -> Event:
    """The event of a log record."""
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit the text must not fail the step
        message = f"{record.msg} {record.args}"
    if record.exc_info and record.exc_info[0] is not None:
        message += "\n" + _format_exception(record.exc_info)
    entry = LogEntry(record.levelname, record.name)
    return Event("LOG", run_id, record.created, current_step.get(), message, entry)


def log_file(folder: Path, run_id: str, step_key: str | None, stream: Stream) -> Path:
    """The file of what a step printed, in the `folder` of the instance; of what the run did as a whole where none is given.

    >>> log_file(Path("home"), "r1", "staging/orders", "out").as_posix()
    'home/logs/r1/staging%2Forders.out'
    >>> log_file(Path("home"), "r1", None, "err").as_posix()
    'home/logs/r1/stderr'
    """
    if step_key is None:
        name = f"std{stream}"
    else:
        name = quote(step_key, safe=" ", errors="surrogatepass")
        if len(name) > _LONGEST_NAME:
            name = f"{name[:_LONGEST_NAME]}~{sha256(name.encode()).hexdigest()[:16]}"
        name = f"{name}.{stream}"
    return folder / "logs" / run_id / name


@contextmanager
def captured_output(folder: Path, run_id: str) -> Iterator[None]:
    """While the block lasts, what a step prints goes to files of its own; what is printed elsewhere goes where it did."""
    with ExitStack() as stack:
        for stream, file, redirect in (("out", sys.stdout, redirect_stdout), ("err", sys.stderr, redirect_stderr)):
            split: Any = _StepStream(folder, run_id, stream, file)  # type: ignore[arg-type]
            stack.callback(split.close_files)
            stack.enter_context(redirect(split))
        yield


class _StepStream:
    """A text stream that writes to the file of the step that writes."""

    encoding = "utf-8"

    def __init__(self, folder: Path, run_id: str, stream: Stream, other: TextIO) -> None:
        self._place = (folder, run_id)
        self._stream: Stream = stream
        self._other = other
        self._files: OrderedDict[str, TextIO] = OrderedDict()  # those last written to are the last
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        step_key = current_step.get()
        if step_key is None:
            return self._other.write(text)
        with self._lock:
            return self._file(step_key).write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def close_files(self) -> None:
        with self._lock:
            while self._files:
                self._files.popitem()[1].close()

    def _file(self, step_key: str) -> TextIO:
        if (file := self._files.get(step_key)) is None:
            path = log_file(*self._place, step_key, self._stream)
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace")
            self._files[step_key] = file
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(step_key)
        return file

    def __getattr__(self, name: str) -> Any:  # fileno, buffer, isatty and the like are those of the process
        return getattr(self._other, name)
