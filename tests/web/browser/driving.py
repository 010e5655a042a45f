"""Opening pages as people do: a `wa dev` of its own on a free port, Chromium without a window, and whatever goes wrong in its pages."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

from tests.servers.processes import process, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, Response

__all__ = ["LARGE", "SMALL", "Size", "Troubles", "browser", "chromium", "screenshot", "served", "settled"]

Size = tuple[int, int]
Scheme = Literal["light", "dark"]
LARGE: Size = (1440, 900)
SMALL: Size = (360, 800)
ROOT = Path(__file__).parents[3]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """Where Chromium is; FileNotFoundError where it is not."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise FileNotFoundError("Chromium is missing: sudo apt-get install --no-install-recommends chromium")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def served(folder: Path, module: str, command: str = "dev", *, is_starting: bool = False, **environment: str) -> Iterator[str]:
    """The address of a `wa dev` on a module in the folder, which ends with the block; with `is_starting` it still does that."""
    log = folder / "server.log"
    log.unlink(missing_ok=True)
    arguments = [command, "-m", module, "--port", "0", *(["--no-open"] if command == "dev" else [])]
    program = [sys.executable, "-c", "from warehouse_assets.cli import script; script()", *arguments]
    paths = os.pathsep.join([str(folder), str(ROOT)])
    known = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "WAREHOUSE_ASSETS_HOME": "", **environment}
    known = {name: text for name, text in known.items() if name != "WAREHOUSE_ASSETS_HOME" or text}
    with process(program, log, cwd=folder, env=known) as started:
        address = ""

        def says_where() -> None:
            nonlocal address
            found = re.search(r"http://\S+", log.read_text())
            if found is None:
                raise ConnectionRefusedError(log.read_text())
            address = found.group()

        wait_until(says_where, started)
        if not is_starting:
            with suppress(HTTPError), urlopen(f"{address}/api/server") as answer:  # which may want a token
                answer.read()
        yield address


@dataclass
class Troubles:
    """What goes wrong in the pages of a context: errors, failed requests, requests to other hosts, and scripts of the data that run."""

    origin: str
    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)  # texts of troubles that a test causes
    requests: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Note what goes wrong from here on."""
        context.on("console", self._said)
        context.on("weberror", lambda error: self._note(f"error in a script of {error.page and error.page.url}: {error.error}"))
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)
        context.on("dialog", self._dialog)

    def _note(self, trouble: str) -> None:
        if not any(text in trouble for text in self.expected):
            self.found.append(trouble)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(f"console of {message.page and message.page.url}: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        asked = urlsplit(request.url)
        if asked.scheme not in ("data", "blob") and f"{asked.scheme}://{asked.netloc}" != self.origin:
            self._note(f"request to another host: {request.url}")

    def _failed(self, request: Request) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):  # which is what leaving a page does to what it still loads
            self._note(f"request failed: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._note(f"{response.status}: {response.request.method} {response.url}")

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type == "confirm":  # as pages ask before they cancel
            dialog.accept()
        else:
            self._note(f"dialog: {dialog.type} {dialog.message}")
            dialog.dismiss()


def settled(page: Page, seconds: float = 10) -> Page:
    """The page once it has loaded, and what its parts ask for on their own is there."""
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < 2:
        busy = page.evaluate(
            "document.readyState !== 'complete' || document.querySelector('.htmx-request, [data-busy]') !== null"
        )
        quiet = 0 if busy else quiet + 1
        if time.monotonic() > deadline:
            raise TimeoutError(f"{page.url} does not settle")
        page.wait_for_timeout(25)
    return page


def screenshot(page: Page, file: Path, quality: int = 80) -> None:
    """Keep what a page shows, as WebP."""
    file.parent.mkdir(parents=True, exist_ok=True)
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
    session.detach()
    file.write_bytes(b64decode(shot["data"]))
