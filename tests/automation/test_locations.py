from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from warehouse_assets import Instance
from warehouse_assets.automation.locations import Locations, location_of
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.events import CodeLocation

pytestmark = pytest.mark.semantics(32)

SOUND = """
from warehouse_assets import DefaultSensorStatus, RunRequest, asset, sensor

@asset
def orders(): ...

@sensor(target="*", minimum_interval_seconds=0, default_status=DefaultSensorStatus.RUNNING)
def often(context):
    number = int(context.cursor or 0) + 1
    context.update_cursor(str(number))
    return RunRequest(run_key=str(number)) if number <= 2 else None
"""

ASKING = """
import time
from warehouse_assets import AutomationCondition, AutomationConditionSensorDefinition, Definitions, asset
from warehouse_assets import DefaultSensorStatus

@asset(automation_condition=AutomationCondition.on_missing() )
def orders(): ...

running = AutomationConditionSensorDefinition("conditions", target="*", default_status=DefaultSensorStatus.RUNNING)
defs = Definitions([orders], sensors=[running])
"""

HANGING = (
    ASKING
    + "from warehouse_assets.automation.conditions import ConditionSensor\nConditionSensor.evaluate = lambda *_, **__: time.sleep(60)\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Instance]:
    with Instance.local(tmp_path / "home") as instance:
        yield instance


@contextmanager
def rounds(locations: Locations) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Has rounds done until something is met."""

    def until(met: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not met():
            assert time.monotonic() < deadline
            locations.round(time.time())
            time.sleep(0.02)

    try:
        yield until
    finally:
        locations.close()


def of(name: str, folder: Path, code: str) -> CodeLocation:
    (folder / f"{name}.py").write_text(code)
    return location_of(f"{name}.py", folder)


def test_what_raises_or_crashes_while_it_is_loaded_harms_none_but_itself(tmp_path: Path, home: Instance) -> None:
    codes = {"raising": "1 / 0", "crashing": "import os\nos._exit(7)", "sound": SOUND}
    said: list[str] = []
    locations = Locations(home, [of(name, tmp_path, code) for name, code in codes.items()], say=said.append)
    with rounds(locations) as until:
        until(lambda: len(home.get_runs()) == 2 and sum("cannot" in line for line in said) == 2)
        (tmp_path / "raising.py").write_text(SOUND)
        locations.reload()
        until(lambda: "raising: 1 assets, 0 schedules, 1 sensors" in said)

    assert {run.run_key for run in home.get_runs()} >= {"sound:often:1", "sound:often:2"}
    assert {line for line in said if "loaded" in line} == {
        f"raising: cannot be loaded: ZeroDivisionError: division by zero ({tmp_path}/raising.py:1)",
        "crashing: cannot be loaded: the process of location 'crashing' ended with exit code 7",
    }
    assert "sound: 1 assets, 0 schedules, 1 sensors" in said


def test_what_hangs_while_it_is_loaded_is_ended_and_tried_again_later(tmp_path: Path, home: Instance) -> None:
    said: list[str] = []
    hanging = of("hanging", tmp_path, "import time\ntime.sleep(60)")
    locations = Locations(home, [hanging], seconds=0.5, say=said.append)
    with rounds(locations) as until:
        until(lambda: said)
        rounded = [locations.round(time.time()) for _ in range(3)]  # in its pause

    assert len(rounded) == 3
    assert said == ["hanging: cannot be loaded: the process of location 'hanging' did not answer in 0.5 s"]


def test_conditions_that_are_not_evaluated_in_time_are_a_failed_tick(tmp_path: Path, home: Instance) -> None:
    said: list[str] = []
    hanging = of("hanging", tmp_path, HANGING + SOUND.replace("def orders", "def others"))
    locations = Locations(home, [hanging], evaluation_seconds=0.5, say=said.append)
    with rounds(locations) as until:
        until(lambda: home.event_log.get_ticks("hanging:conditions") and "automation conditions" in " ".join(said))

    error = home.event_log.get_ticks("hanging:conditions")[0].error
    assert error is not None
    assert error.message == "the conditions of 'hanging:conditions' were not evaluated within 0.5 s"
    assert "hanging: automation conditions: the process of location 'hanging' ended with exit code 75" in said


def test_all_that_needs_the_code_is_done_by_the_interpreter_of_the_location(tmp_path: Path, home: Instance) -> None:
    python = tmp_path / "python"
    roots = ":".join(path for path in sys.path if path)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{roots}" MY_INTERPRETER=yes exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    code = "import os\nassert os.environ['MY_INTERPRETER'] == 'yes'\n"
    place = of("apart", tmp_path, code + SOUND)
    place = CodeLocation(place.name, place.module, place.working_directory, str(python))
    said: list[str] = []
    with rounds(Locations(home, [place], say=said.append)) as until:
        until(home.get_runs)

    assert {run.location for run in home.get_runs()} == {place}
    assert said[0] == "apart: 1 assets, 0 schedules, 1 sensors"


def test_two_locations_of_one_name_are_told(home: Instance) -> None:
    with pytest.raises(InvalidDefinitionError, match="several code locations are called 'assets'"):
        Locations(home, [location_of("a/assets.py"), location_of("b/assets.py")])
