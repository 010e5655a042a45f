from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from warehouse_assets.telemetry.delivery import Delivery


def never() -> Callable[[Any], None]:
    raise AssertionError("asked for before there is anything to send")


def test_messages_are_sent_in_their_order_by_another_thread() -> None:
    sent: list[tuple[int, bool]] = []
    here = threading.get_ident()
    delivery = Delivery("numbers", lambda: lambda number: sent.append((number, threading.get_ident() != here)))

    for number in range(3):
        delivery.put(lambda number=number: [number])  # type: ignore[misc]
    done = delivery.wait(20)

    assert (done, sent) == (True, [(0, True), (1, True), (2, True)])


def test_nothing_is_connected_before_there_is_something_to_send() -> None:
    assert Delivery("numbers", never).wait(0)


def test_who_hangs_keeps_neither_the_sender_nor_the_end_of_the_process(caplog: pytest.LogCaptureFixture) -> None:
    hanging = threading.Event()
    delivery = Delivery("numbers", lambda: lambda number: bool(hanging.wait(60)), limit=2, patience=0.01)
    try:
        for _ in range(10):
            delivery.put(lambda: [1])
        delivery._finish()
    finally:
        hanging.set()

    assert [record.message for record in caplog.records] == [
        "numbers are lost: TimeoutError: 2 of them wait already. Runs go on; this is said once."
    ]


def test_what_cannot_be_made_is_lost_alone(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[int] = []
    delivery = Delivery("numbers", lambda: sent.append)

    delivery.put(lambda: [1 // 0])
    delivery.put(lambda: [2])
    delivery.wait(20)

    assert (sent, len(caplog.records)) == ([2], 1)
