"""A small part of `make soak`: one kill of each kind."""

from __future__ import annotations

import pytest

from tests.soak.soak import VICTIMS, Soak


@pytest.mark.semantics(32)
def test_what_is_killed_loses_and_doubles_no_run() -> None:
    with Soak() as soak:
        soak.kill(VICTIMS[::-1], pause=0.5)
        soak.settle()

        assert soak.faults() == []
