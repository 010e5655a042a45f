"""How a run is shown while it goes on: a live display on a terminal, plain lines elsewhere; and its summary."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.check import STYLES, check_note, check_verdict
from warehouse_assets.cli.format import byte_text, count_text, new_table, seconds_text
from warehouse_assets.events import AssetCheckEvaluation, Event
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

__all__ = ["RunDisplay"]


@dataclass(slots=True)
class _StepView:
    """One step as the display shows it."""

    name: str
    status: str = "waiting"
    began: float = 0.0
    ended: float = 0.0
    rows: int | None = None
    bytes: int | None = None
    place: str = ""
    note: str = ""
    assets: set[AssetKey | None] = field(default_factory=set)

    def is_checked_by(self, step_key: str, evaluation: AssetCheckEvaluation) -> bool:
        """Whether an evaluation, which the step of this key made, is of a table that this step makes."""
        key = evaluation.asset_key
        return step_key == self.name or key.to_escaped_string() == self.name or key in self.assets


@dataclass(slots=True)
class _Totals:
    rows: int = 0
    bytes: int = 0
    began: float = field(default_factory=time.time)


class RunDisplay:
    """Listens to the events of a run and shows them. Use it as a context manager around the run.

    `steps` is the number of those that make assets; `checks` are the keys of those that evaluate checks, which are no lines.
    """

    def __init__(self, console: Console, steps: int, checks: Collection[str] = ()) -> None:
        self.console = console
        self.steps = steps
        self.checks = frozenset(checks)
        self.views: dict[str, _StepView] = {}
        self.totals = _Totals()
        self.evaluations: list[tuple[str, AssetCheckEvaluation]] = []
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> RunDisplay:
        if self.console.is_interactive:
            from rich.live import Live

            self._live = Live(get_renderable=self._render, console=self.console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        if event.step_key is None:
            return
        with self._lock:
            if (evaluation := event.asset_check_evaluation) is not None:
                self._note(event.step_key, evaluation)
            if event.step_key in self.checks:
                return
            view = self.views.setdefault(event.step_key, _StepView(event.step_key))
            rows, size = view.rows or 0, view.bytes or 0
            _HANDLERS.get(event.event_type, _ignore)(view, event)
            self.totals.rows += (view.rows or 0) - rows
            self.totals.bytes += (view.bytes or 0) - size
            if event.event_type in _ENDINGS:
                self._say(view)
            elif event.event_type == "STEP_UP_FOR_RETRY":
                self.console.print(f"retry    {view.name}  {relative_paths(view.note)}", soft_wrap=True)

    def _note(self, step_key: str, evaluation: AssetCheckEvaluation) -> None:
        """Keep the evaluation of a check for the summary; one line for one that did not pass."""
        self.evaluations.append((step_key, evaluation))
        if not evaluation.passed:
            verdict = check_verdict(evaluation)
            text = f"{verdict:<8} {evaluation.asset_check_key.to_user_string()}  {check_note(evaluation)}".rstrip()
            self.console.print(text, style=STYLES[verdict], soft_wrap=True)

    def _say(self, view: _StepView) -> None:
        """One line for a step that ended."""
        parts = [f"{view.status:<8} {view.name}"]
        if view.status == "done":
            parts += [f"{count_text(view.rows)} rows" if view.rows is not None else "", byte_text(view.bytes)]
            parts.append(seconds_text(view.ended - view.began))
        parts.append(relative_paths(view.note))
        style = {"failed": "red", "skipped": "yellow"}.get(view.status)
        self.console.print("  ".join(part for part in parts if part), style=style, soft_wrap=True)

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        now = time.time()
        with self._lock:
            running = [view for view in self.views.values() if view.status == "running"]
            totals = self.totals
            lines = [
                Text(f"running  {view.name}  {seconds_text(now - view.began)}  {view.note}", style="cyan") for view in running
            ]
            counts = Counter(view.status for view in self.views.values())
            others = "".join(
                f", {counts[status]} {status}" for status in ("fresh", "failed", "skipped", "running") if counts[status]
            )
            head = f"{counts['done']} of {self.steps} done{others}"
            size = f"{count_text(totals.rows)} rows, {byte_text(totals.bytes) or '0 B'}"
        return Group(*lines, Text(f"{head}  {size}  {seconds_text(now - totals.began)}", style="bold"))

    def summary(self, run_id: str, how: str) -> None:
        """The table of what was made, and a last line that says how the run went."""
        table = new_table("asset", "", "rows", "bytes", "time", "stored as", numeric=("rows", "bytes", "time"))
        left = self.evaluations
        for view in self.views.values():
            took = seconds_text(view.ended - view.began) if view.ended and view.began else ""
            place = relative_paths(view.place)
            table.add_row(view.name, view.status, count_text(view.rows), byte_text(view.bytes), took, place)
            for _, evaluation in (mine := [one for one in left if view.is_checked_by(*one)]):
                _add_check(table, f"  {evaluation.check_name}", evaluation)
            left = [one for one in left if one not in mine]
        for _, evaluation in left:
            _add_check(table, evaluation.asset_check_key.to_user_string(), evaluation)
        self.console.print()
        self.console.print(table)
        totals, counts = self.totals, Counter(view.status for view in self.views.values())
        fresh = f"{counts['fresh']} up to date, " if counts["fresh"] else ""
        self.console.print(
            f"\n{how}: {counts['done']} of {self.steps} assets made, {fresh}"
            f"{count_text(totals.rows)} rows, {byte_text(totals.bytes) or '0 B'}, "
            f"{seconds_text(time.time() - totals.began)} (run {run_id})",
            style="bold green" if how == "Success" else "bold red",
        )


def _add_check(table: Table, name: str, evaluation: AssetCheckEvaluation) -> None:
    verdict = check_verdict(evaluation)
    table.add_row(name, verdict, "", "", "", check_note(evaluation), style=STYLES[verdict])


_ENDINGS = ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED", "STEP_UP_TO_DATE")


def _ignore(view: _StepView, event: Event) -> None:
    return


def _began(view: _StepView, event: Event) -> None:
    view.status, view.began, view.note = "running", event.timestamp, ""


def _made(view: _StepView, event: Event) -> None:
    if event.asset_key in view.assets:
        return  # another partition of one write, which was measured as a whole
    view.assets.add(event.asset_key)
    metadata: Mapping[str, Any] = event.data.metadata if event.asset_materialization else {}  # type: ignore[union-attr]
    values = {name: value.value for name, value in metadata.items()}
    view.rows = _added(view.rows, values.get("partition_row_count", values.get("row_count")))
    view.bytes = _added(view.bytes, values.get("byte_size"))
    view.place = str(values.get("table_name") or values.get("uri") or view.place)


def _added(so_far: int | None, value: Any) -> int | None:
    return (so_far or 0) + value if isinstance(value, int) else so_far


def _succeeded(view: _StepView, event: Event) -> None:
    view.status, view.ended, view.note = "done", event.timestamp, event.message or ""


def _failed(view: _StepView, event: Event) -> None:
    view.status, view.ended, view.note = "failed", event.timestamp, event.message or ""


def _skipped(view: _StepView, event: Event) -> None:
    view.status, view.note = "skipped", (event.message or "").removeprefix("skipped: ")


def _found_fresh(view: _StepView, event: Event) -> None:
    view.status, view.note = "fresh", event.message or ""


def _retried(view: _StepView, event: Event) -> None:
    view.status, view.note = "waiting", event.message or ""


def _logged(view: _StepView, event: Event) -> None:
    view.note = event.message or ""


_HANDLERS = {
    "ASSET_MATERIALIZATION": _made,
    "LOG": _logged,
    "STEP_FAILURE": _failed,
    "STEP_SKIPPED": _skipped,
    "STEP_START": _began,
    "STEP_SUCCESS": _succeeded,
    "STEP_UP_FOR_RETRY": _retried,
    "STEP_UP_TO_DATE": _found_fresh,
}
