from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import psutil
import pytest

from tests.servers import keeper
from tests.servers.processes import free_port, listens, on_free_port, process, wait_until

SERVERS = ["azurite_server", "gcs_server", "mariadb_server", "postgres_server", "swift_server"]
USER = """
import sys, time
from contextlib import ExitStack
from pathlib import Path
from tests.servers import keeper

with keeper.use(sys.argv[1], Path(sys.argv[2])):
    print("ready", flush=True)
    time.sleep(600)
"""


def family_of_keepers(meeting_place: Path) -> list[psutil.Process]:
    keepers = [found for found in psutil.process_iter(["cmdline"]) if "tests.servers.keeper" in (found.info["cmdline"] or [])]
    mine = [found for found in keepers if str(meeting_place) in found.info["cmdline"]]
    return [member for found in mine for member in (found, *found.children(recursive=True))]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where processes put temporary files; the path is short, as that of a socket has to be, and open to all users."""
    with tempfile.TemporaryDirectory(prefix="wa-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.mark.parametrize(
    ("name", "number"),
    [*((name, signal.SIGKILL) for name in SERVERS), ("postgres_server", signal.SIGINT), ("postgres_server", signal.SIGTERM)],
    ids=lambda value: getattr(value, "name", value),
)
def test_nothing_is_left_of_a_server_when_its_user_is_killed(
    tmp_path: Path, temporary: Path, run_python: Callable[..., Popen[str]], name: str, number: signal.Signals
) -> None:
    with run_python(USER, name, str(tmp_path)) as user:
        try:
            said = user.stdout.readline() if user.stdout else ""
            family, folders = family_of_keepers(tmp_path), len([*temporary.iterdir()])
        finally:
            user.send_signal(number)
    _, alive = psutil.wait_procs(family, timeout=30)

    assert (said, folders, len(family) > 1) == ("ready\n", 1, True)
    assert (alive, [*temporary.iterdir()], (tmp_path / f"{name}.json").exists()) == ([], [], False)


def test_all_users_of_one_place_share_a_server_and_the_next_ones_get_another(tmp_path: Path) -> None:
    with keeper.use("gcs_server", tmp_path) as first:
        with keeper.use("gcs_server", tmp_path) as second:
            count = sum("tests.servers.keeper" in member.cmdline() for member in family_of_keepers(tmp_path))
        still = len(family_of_keepers(tmp_path)) > 1
    between = family_of_keepers(tmp_path)
    with keeper.use("gcs_server", tmp_path) as third:
        pass

    assert (second, count, still, between) == (first, 1, True, [])
    assert third.keys() == first.keys()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"No module named 'tests\.servers\.nothing'"), keeper.use("nothing", tmp_path):
        pass


def test_a_port_that_somebody_took_is_given_up_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken, free = somebody.getsockname()[1], free_port()
        ports = iter([taken, free])
        monkeypatch.setattr("tests.servers.processes.free_port", lambda: next(ports))

        def start(stack: ExitStack, port: int) -> None:
            command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", str(port)]
            server = stack.enter_context(process(command, tmp_path / "log", cwd=tmp_path))
            wait_until(lambda: listens(server, port), server)

        with on_free_port(start, tmp_path / "log") as port:
            pass

    assert port == free
