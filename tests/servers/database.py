"""Where a database is, and who may use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote


@dataclass(frozen=True)
class Database:
    """An empty database on a real server; `url` is what users write, `sqlalchemy_url` names the driver too."""

    scheme: str
    driver: str
    host: str
    port: int
    user: str
    password: str
    name: str

    @property
    def url(self) -> str:
        """`scheme://user:password@host:port/name`, quoted."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"{self.scheme}://{user}:{password}@{self.host}:{self.port}/{self.name}"

    @property
    def sqlalchemy_url(self) -> str:
        """The same with the driver that is installed."""
        return self.url.replace(self.scheme, f"{self.scheme}+{self.driver}", 1)

    def at(self, port: int) -> Database:
        """The same database, reached through another port: that of a proxy."""
        return replace(self, port=port)
