"""What a server of the web UI may do, and who may ask it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from warehouse_assets.errors import InvalidInvocationError

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where it listens, and what it allows: sample rows, the SQL page, and writing at all.

    InvalidInvocationError for an address that others can reach and no `token`.
    """

    host: str = "127.0.0.1"
    port: int = 8642
    token: str | None = None
    hosts: tuple[str, ...] = ()
    samples: bool = True
    sql: bool = True
    read_only: bool = False

    def __post_init__(self) -> None:
        if self.token is None and not _is_loopback(self.host):
            raise InvalidInvocationError(
                f"the server would listen on {self.host}, where others can reach it, and there is no token",
                hint="Set WAREHOUSE_ASSETS_WEB_TOKEN to a long random text, or listen on 127.0.0.1.",
            )
        if self.token is not None and len(self.token) < 16:
            raise InvalidInvocationError("the token is too short to keep anybody out", hint="Take 16 characters or more.")

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """What a request may call this server."""
        return frozenset({"localhost", "127.0.0.1", "[::1]", self.host.lower(), *(host.lower() for host in self.hosts)})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
