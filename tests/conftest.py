"""What the tests share: an I/O manager that remembers what it was asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from warehouse_assets import AssetKey, InputContext, Instance, IOManager, OutputContext

pytest_plugins = ["tests.promises", "tests.servers.fixtures"]

settings.register_profile("warehouse_assets", deadline=None)  # machines that run tests are shared
settings.load_profile("warehouse_assets")


def pytest_collection_finish() -> None:
    """Keep nothing compiled of the modules that tests write: one that is written again within a second would be taken for the old one."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


class RememberingManager(IOManager):
    """Keeps values in a dict, and the contexts of all calls in order."""

    def __init__(self, **values: Any) -> None:
        self.values: dict[AssetKey, Any] = {AssetKey.coerce(name): value for name, value in values.items()}
        self.outputs: list[OutputContext] = []
        self.inputs: list[InputContext] = []

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        self.outputs.append(context)
        self.values[context.asset_key] = obj

    def load_input(self, context: InputContext) -> Any:
        self.inputs.append(context)
        return self.values[context.asset_key]

    @property
    def stored(self) -> list[str]:
        """The keys that were stored, in order."""
        return [context.asset_key.to_user_string() for context in self.outputs]

    @property
    def loaded(self) -> list[str]:
        """The keys that were loaded, in order."""
        return [context.asset_key.to_user_string() for context in self.inputs]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is remembered of SQL files is kept apart from what the person remembers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def new_manager() -> type[RememberingManager]:
    return RememberingManager


@pytest.fixture
def store() -> RememberingManager:
    return RememberingManager()


@pytest.fixture
def instance() -> Iterator[Instance]:
    with Instance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a program in a process of its own, in `tmp_path`, that hears of Ctrl-C also where the tests run in the background."""

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        file = tmp_path / "program.py"
        file.write_text(f"import signal\n\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{program}")
        return subprocess.Popen(
            [sys.executable, "-W", "error", str(file), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def wait_for() -> Callable[[Path], None]:
    """Waits until a file is there, which another process makes."""

    def wait(file: Path, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not file.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{file} did not appear")
            time.sleep(0.01)

    return wait


@pytest.fixture
def forget_modules_of() -> Callable[[Path], None]:
    """Makes Python forget the modules that were imported from a folder."""

    def forget(folder: Path) -> None:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{folder}/"):
                del sys.modules[name]

    return forget
