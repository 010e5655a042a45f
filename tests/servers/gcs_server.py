"""An emulator of Google's cloud storage, from PyPI; it knows JSON's side of the protocol, which gcsfs speaks."""

from __future__ import annotations

import json
import os
import secrets
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.servers.bucket import GCSBucket
from tests.servers.processes import listens, on_free_port, process, wait_until


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Any]]:
    def start(stack: ExitStack, port: int) -> None:
        emulator = Path(__file__).with_name("gcs_emulator.py")
        command = [sys.executable, emulator, "--data-dir", folder / "data", "start", "--quiet"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        environment = {**os.environ, "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}
        server = stack.enter_context(process(command, folder / "log", cwd=folder, env=environment))
        wait_until(lambda: listens(server, port), server)

    with on_free_port(start, folder / "log") as port:
        yield {"endpoint": f"http://127.0.0.1:{port}"}


def fresh_bucket(server: dict[str, Any]) -> GCSBucket:
    """An empty bucket, which is gone with the server."""
    bucket = GCSBucket(**server, name=f"test-{secrets.token_hex(6)}")
    body = json.dumps({"name": bucket.name}).encode()
    request = urllib.request.Request(f"{bucket.endpoint}/storage/v1/b?project=test", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()
    return bucket
