from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

import pytest

from warehouse_assets import AssetExecutionContext, AssetKey, Instance, ThreadExecutor, asset, materialize
from warehouse_assets.events import LogEntry
from warehouse_assets.execution.capture import LogEvents, captured_output, current_step, log_event, log_file


@pytest.mark.semantics(20)
def test_what_a_step_logs_is_recorded_with_its_level(tmp_path: Path) -> None:
    @asset
    def orders(context: AssetExecutionContext) -> None:
        context.log.debug("not this")
        context.log.info("read %d rows", 3)
        context.log.warning("100% of %s rows are new")
        try:
            raise ValueError("nothing")
        except ValueError:
            context.log.exception("it failed")

    with Instance.local(tmp_path) as instance:
        materialize([orders], instance=instance)
        logged = instance.get_event_records(event_types="LOG")

    assert [(event.step_key, event.data) for event in logged[:2]] == [
        ("orders", LogEntry("INFO", "warehouse_assets")),
        ("orders", LogEntry("WARNING", "warehouse_assets")),
    ]
    assert [event.message for event in logged[:2]] == ["read 3 rows", "100% of %s rows are new"]
    assert str(logged[2].message).startswith("it failed\nTraceback")
    assert str(logged[2].message).endswith("ValueError: nothing")


def test_a_log_record_whose_arguments_do_not_fit_is_kept() -> None:
    record = logging.LogRecord("their.own", logging.INFO, "file.py", 1, "%d is no number", ("one",), None)

    assert log_event(record, "r1").message == "%d is no number ('one',)"


def test_loggers_of_a_person_are_recorded_once_where_a_handler_is_set() -> None:
    told: list[tuple[str | None, str | None]] = []
    handler = LogEvents("r1", lambda event: told.append((event.step_key, event.message)))
    root = logging.getLogger()
    root.addHandler(handler)
    try:

        @asset
        def orders(context: AssetExecutionContext) -> None:
            logging.getLogger("their.own").warning("careful")
            context.log.warning("told already")

        materialize([orders])
    finally:
        root.removeHandler(handler)

    assert told == [("orders", "careful")]


def test_each_step_prints_to_files_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    together = threading.Barrier(2, timeout=30)

    def printing(name: str) -> None:
        for number in range(3):
            together.wait()
            print(name, number)  # noqa: T201
        print("oh", file=sys.stderr)  # noqa: T201

    a = asset(key=AssetKey(["x/y", "a"]))(lambda: printing("a") or 1)
    b = asset(key="b")(lambda: printing("b") or 1)
    with captured_output(tmp_path, "r1"):
        print("before")  # noqa: T201
        materialize([a, b], executor=ThreadExecutor(2))

    def text(step_key: str, stream: str) -> str:
        return log_file(tmp_path, "r1", step_key, stream).read_text()  # type: ignore[arg-type]

    assert text("x\\/y/a", "out") == "a 0\na 1\na 2\n"
    assert text("b", "out") == "b 0\nb 1\nb 2\n"
    assert text("b", "err") == "oh\n"
    assert capsys.readouterr().out == "before\n"


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a\\b", "ü" * 300, "\0", "stdout"], ids=range(6))
def test_the_name_of_a_step_leads_out_of_no_folder(tmp_path: Path, name: str) -> None:
    place = log_file(tmp_path, "r1", name, "out")
    place.parent.mkdir(parents=True)
    place.write_text("")

    assert place.resolve().parent == (tmp_path / "logs" / "r1").resolve()
    assert place != log_file(tmp_path, "r1", None, "out")


def test_many_steps_print_without_many_open_files(tmp_path: Path) -> None:
    with captured_output(tmp_path, "r1"):
        for round_ in range(2):
            for number in range(100):
                before = current_step.set(f"step_{number}")
                print(round_)  # noqa: T201
                current_step.reset(before)

    assert log_file(tmp_path, "r1", "step_99", "out").read_text() == "0\n1\n"
