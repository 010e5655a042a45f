"""The web UI in a headless Chromium, on made-up projects: how soon pages are there, what they weigh, and how soon they show what happened."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from benchmarks.harness import Report, progress, working_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = (41, 5_000)
FOLLOWED = 1_000
STEP = 0.02  # seconds that an asset of the run that is followed takes
# The reference's UI, version 1.13, on the machine of the project: (41 assets, 5,000 assets).
REFERENCE: dict[str, tuple[float | None, float | None]] = {
    "first page after start, ms": (3_600, 17_500),
    "catalog cold, ms": (1_900, 4_000),
    "catalog, requests": (60, 85),
    "catalog, kB": (4_900, 9_200),
    "catalog, heap MiB": (26, 61),
    "no-op materialization, click to done, ms": (9_000, None),
}
PROJECT = """
import time

from warehouse_assets import Definitions, asset


def made(number):
    deps = [f"g{{one // 50}}/a{{one}}" for one in (number - 1, number // 2) if 0 <= one < number and number % 50]

    @asset(name=f"a{{number}}", key_prefix=f"g{{number // 50}}", group_name=f"g{{number // 50}}", deps=sorted(set(deps)))
    def one(context) -> None:
        time.sleep(float(context.run_tags.get("seconds", 0)))

    return one


defs = Definitions([made(number) for number in range({count})])
"""
USABLE = """(there) => {
  const look = () => document.querySelector(there)
    ? requestAnimationFrame(() => requestAnimationFrame(() => { window.usable = performance.now(); }))
    : requestAnimationFrame(look);
  requestAnimationFrame(look);
}"""
PAN = """async () => {
  const canvas = document.querySelector("#whole, svg.lineage");
  const box = canvas.getBoundingClientRect();
  const at = (type, step) => canvas.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, buttons: 1, button: 0,
    clientX: box.x + box.width / 2 + step * 4, clientY: box.y + box.height / 2 + step * 2 }));
  const frames = [];
  at("pointerdown", 0);
  let before = await new Promise(requestAnimationFrame);
  for (let step = 1; step <= 60; step++) {
    at("pointermove", step);
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
  }
  at("pointerup", 60);
  return frames;
}"""

SHOWN = """() => {
  const done = document.querySelector("#gantt [data-state=success]")?.textContent.match(/[0-9,]+/)?.[0].replaceAll(",", "") ?? "0";
  return [Date.now() / 1000, Number(done)];
}"""


def web(sizes: Sequence[int], followed: int) -> list[Report]:
    """What pages of projects of these sizes cost, beside the reference's, and a run of many assets that a page follows."""
    from tests.web.browser.driving import browser

    measured: dict[str, dict[int, float]] = {}
    with working_folder() as folder, browser() as started:
        for size in sizes:
            for name, value in _measured(folder / f"of_{size}", size, started, followed if size == max(sizes) else 0):
                progress({"assets": size, name: value})
                measured.setdefault(name, {})[size] = value
    rows = []
    for name, values in measured.items():
        theirs = dict(zip(SIZES, REFERENCE.get(name, (None, None)), strict=True))
        row: dict[str, Any] = {"what": name}
        for size in sizes:
            row |= {f"{size:,} assets": values.get(size), f"reference, {size:,}": theirs.get(size)}
        rows.append(row)
    return [Report("The web UI in Chromium", rows, "The reference was measured on the same machine; - where it was not.")]


def _measured(folder: Path, count: int, started: Browser, followed: int) -> Iterator[tuple[str, float]]:
    folder.mkdir()
    (folder / "many.py").write_text(PROJECT.format(count=count))
    with _opened(folder, started) as (address, page, first):
        yield "first page after start, ms", first
        page.goto(f"{address}/static/icon.svg")  # as a browser that has only just started is slow by itself
        while _read(f"{address}/api/server")["loading"]:
            time.sleep(0.05)
        yield from _weight(page, f"{address}/assets", "catalog at once", "#catalog-rows tr")
        time.sleep(8)  # until the daemon and the processes that wait for runs have loaded the code, too
        yield from _weight(page, f"{address}/assets", "catalog", "#catalog-rows tr")
        yield from _weight(page, f"{address}/graph?whole=1", "graph", "#graph[data-drawn], svg.lineage")
        frames = page.evaluate(PAN)
        yield "graph, frame while panning, ms", median(frames)
        yield "graph, slowest frame, ms", max(frames)
        taken = [_click(page, f"{address}/assets/g0/a0") for _ in range(4)][1:]
        yield "no-op materialization, click to done, ms", median(taken)
        if followed:
            for name, value in _follow(page, address, followed).items():
                yield f"run of {followed:,} assets of {STEP * 1000:.0f} ms, {name}", value


@contextmanager
def _opened(folder: Path, started: Browser) -> Iterator[tuple[str, Page, float]]:
    """A server on a project, a page, and the milliseconds from its start to its first answer."""
    from tests.web.browser.driving import LARGE, served

    began = time.perf_counter()
    with served(folder, "many", is_starting=True, WAREHOUSE_ASSETS_HOME=str(folder / "home")) as address:
        while True:
            try:
                with urlopen(Request(address, headers={"Accept": "text/html"})) as answer:
                    answer.read(1)
                break
            except URLError:
                time.sleep(0.005)
        first = 1000 * (time.perf_counter() - began)
        context = started.new_context(viewport={"width": LARGE[0], "height": LARGE[1]}, base_url=address)
        yield address, context.new_page(), first
        context.close()


def _weight(page: Page, address: str, name: str, there: str) -> Iterator[tuple[str, float]]:
    """How soon after it is asked for a page is usable with an empty cache, by the clock of the browser: two frames after what is looked for is there; and what it weighs."""
    context = page.context.browser
    assert context is not None
    fresh = context.new_context(viewport=page.viewport_size)
    cold = fresh.new_page()
    session = fresh.new_cdp_session(cold)
    session.send("Network.enable")
    session.send("Performance.enable")
    weights: list[float] = []
    session.on("Network.loadingFinished", lambda event: weights.append(event["encodedDataLength"]))
    cold.add_init_script(f"({USABLE})({json.dumps(there)})")
    cold.goto(address, wait_until="load")
    yield f"{name} cold, ms", cold.wait_for_function("() => window.usable").json_value()
    cold.wait_for_timeout(1000)
    session.send("HeapProfiler.collectGarbage")
    heap = next(one["value"] for one in session.send("Performance.getMetrics")["metrics"] if one["name"] == "JSHeapUsedSize")
    yield f"{name}, requests", len(weights)
    yield f"{name}, kB", sum(weights) / 1000
    yield f"{name}, heap MiB", heap / 2**20
    page.goto(address)
    page.wait_for_selector(there)
    fresh.close()


def _click(page: Page, address: str) -> float:
    """Milliseconds from a click on Materialize to the page that shows it as done."""
    page.goto(address)
    page.wait_for_timeout(3000)  # while the process that waits for the next run loads the code
    before = page.evaluate("document.querySelector('#asset-head time[data-ago]')?.dateTime ?? ''")
    began = time.perf_counter()
    page.locator("#asset-head button.primary").first.click()
    _until(
        page,
        "(before) => { const now = document.querySelector('#asset-head time[data-ago]');"
        " return now && now.dateTime !== before && /fresh|stale/.test(document.querySelector('#asset-head .chip').textContent); }",
        before,
    )
    return 1000 * (time.perf_counter() - began)


def _follow(page: Page, address: str, count: int) -> dict[str, float]:
    """How far a page is behind a run of many assets that it follows, by the clock of the machine.

    While it runs, the page is as far behind as the first step that ended and is not shown yet; that is looked at 20 times a second.
    """
    page.goto(f"{address}/runs")
    keys = [f"g{number // 50}/a{number}" for number in range(count)]
    asked = {"assets": keys, "tags": {"seconds": str(STEP)}}
    run = page.evaluate("(asked) => wa.send('/api/runs', { json: asked })", asked)["run_id"]
    page.goto(f"{address}/runs/{run}")
    looks: list[tuple[float, int]] = []
    while not looks or looks[-1][1] < count or "success" not in page.locator("#run-view .chip").first.inner_text():
        looks.append(tuple(page.evaluate(SHOWN)))
        page.wait_for_timeout(50 if looks[-1][1] < count else 2)
        if len(looks) > 10_000:
            raise TimeoutError(f"{page.url} does not show what it should")
    over = page.evaluate("Date.now()") / 1000
    told = _read(f"{address}/api/runs/{run}/timeline")
    ends = sorted(change["at"] for change in told["changes"] if change["status"] == "success")
    behind = [max(at - ends[done], 0.0) for at, done in looks if 0 < done < len(ends)]
    return {
        "s": told["ended"] - told["began"],
        "median behind, ms": 1000 * median(behind),
        "most behind, ms": 1000 * max(behind),
        "end to shown, ms": 1000 * (over - told["ended"]),
    }


def _until(page: Page, holds: str, argument: Any = None, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not page.evaluate(holds, argument):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{page.url} does not show what it should")
        page.wait_for_timeout(5)


def _read(address: str) -> Any:
    with urlopen(address) as answer:
        return json.load(answer)
