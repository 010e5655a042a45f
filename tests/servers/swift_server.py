"""OpenStack Swift with its S3 interface: a real object store, in a virtual environment of its own.

One proxy, which speaks S3, and a server each for accounts, containers and objects, in four processes that keep one copy of everything.
"""

from __future__ import annotations

import getpass
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.servers.bucket import S3Bucket
from tests.servers.processes import free_port, listens, on_free_port, process, wait_until

PROGRAMS = Path(sys.prefix) / "swift" / "bin"
RINGS = """
import sys
from swift.common.ring import RingBuilder

for kind, port in zip(("account", "container", "object"), sys.argv[1:]):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(f"{kind}.ring.gz")
"""
STORAGE = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
log_level = WARNING

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {folder}
"""
PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
log_level = WARNING

[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = no
check_bucket_owner = no

[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{name} = {password} .admin .reseller_admin
"""
FILTERS = ["catch_errors", "gatekeeper", "listing_formats", "bulk", "copy", "slo", "dlo", "versioned_writes", "symlink"]
CACHE = "[filter:cache]\npaste.filter_factory = own_cache:filter_factory\n"
# What a memcached does elsewhere: the proxy, which is one process, asks for accounts and containers once, and not before every request.
OWN_CACHE = """
import time


class Cache:
    def __init__(self):
        self.kept = {}

    def get(self, key, **options):
        value, until = self.kept.get(key, (None, None))
        return value if until is None or time.time() < until else None

    def set(self, key, value, time=0, **options):
        self.kept[key] = value, until(time)

    def delete(self, key, **options):
        self.kept.pop(key, None)

    def incr(self, key, delta=1, time=0, **options):
        value = max(0, int(self.get(key) or 0) + delta)
        self.kept[key] = value, until(time)
        return value

    def decr(self, key, delta=1, time=0, **options):
        return self.incr(key, -delta, time)

    def get_multi(self, keys, server_key, **options):
        return [self.get(key) for key in keys]

    def set_multi(self, mapping, server_key, time=0, **options):
        for key, value in mapping.items():
            self.set(key, value, time)


def until(seconds):
    return time.time() + seconds if seconds else None


def filter_factory(global_conf, **local_conf):
    cache = Cache()

    def kept(app):
        def answer(environ, start_response):
            environ["swift.cache"] = cache
            return app(environ, start_response)

        return answer

    return kept
"""


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Any]]:
    account, name, password = "test", "tester", f"s3cret/+{secrets.token_hex(4)}"
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    (folder / "own_cache.py").write_text(OWN_CACHE)
    environment = {**os.environ, "PYTHONPATH": str(folder)}

    def start(stack: ExitStack, port: int) -> None:
        ports = {kind: free_port() for kind in ("account", "container", "object")}
        subprocess.run([PROGRAMS / "python", "-c", RINGS, *map(str, ports.values())], cwd=folder, check=True)
        values = {"user": getpass.getuser(), "folder": folder, "account": account, "name": name, "password": password}
        configs = {kind: STORAGE.format(kind=kind, port=ports[kind], **values) for kind in ports}
        filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in FILTERS)
        configs["proxy"] = PROXY.format(port=port, **values) + filters + CACHE
        servers = []
        for kind, config in configs.items():
            file = folder / f"{kind}.conf"
            file.write_text(config)
            servers.append(
                stack.enter_context(
                    process([PROGRAMS / f"swift-{kind}-server", file, "-v"], folder / "log", cwd=folder, env=environment)
                )
            )
        for server, number in zip(servers, [*ports.values(), port], strict=True):
            wait_until(partial(listens, server, number), server)

    with on_free_port(start, folder / "log") as port:
        yield {"endpoint": f"http://127.0.0.1:{port}", "key": f"{account}:{name}", "secret": password}


def fresh_bucket(server: dict[str, Any]) -> S3Bucket:
    """An empty bucket, which is gone with the server."""
    bucket = S3Bucket(**server, name=f"test-{secrets.token_hex(6)}")
    client = bucket.client()
    client.create_bucket(Bucket=bucket.name)
    client.close()
    return bucket
