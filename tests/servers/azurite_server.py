"""Azurite, which speaks the protocol of Azure's blob storage, from npm."""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.servers.bucket import AzureContainer
from tests.servers.processes import listens, on_free_port, process, program, wait_until

SCRIPT = Path(sys.prefix) / "node" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Any]]:
    account, key = "waaccount", base64.b64encode(secrets.token_bytes(48)).decode()

    def start(stack: ExitStack, port: int) -> None:
        command = [program("node", "nodejs npm"), SCRIPT, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        command += ["--location", folder / "data", "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
        environment = {"AZURITE_ACCOUNTS": f"{account}:{key}", "PATH": "/usr/bin:/bin"}
        server = stack.enter_context(process(command, folder / "log", cwd=folder, env=environment))
        wait_until(lambda: listens(server, port), server)

    with on_free_port(start, folder / "log") as port:
        yield {"endpoint": f"http://127.0.0.1:{port}/{account}", "account": account, "key": key}


def fresh_container(server: dict[str, Any]) -> AzureContainer:
    """An empty container, which is gone with the server."""
    from azure.storage.blob import BlobServiceClient

    container = AzureContainer(**server, name=f"test-{secrets.token_hex(6)}")
    with BlobServiceClient.from_connection_string(container.connection_string) as service:
        service.create_container(container.name)
    return container
