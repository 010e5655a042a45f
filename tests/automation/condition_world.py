"""A small world for automation conditions: assets, a record in memory, and a clock that is moved by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from warehouse_assets import AssetKey, AssetMaterialization, AssetObservation, Instance
from warehouse_assets.automation.condition_cursor import ConditionCursor
from warehouse_assets.automation.condition_evaluation import Evaluation, evaluate_conditions
from warehouse_assets.automation.condition_record import Watched, read_snapshot
from warehouse_assets.events import DATA_VERSION_TAG, Event, RunRecord
from warehouse_assets.graph.asset_graph import AssetGraph

START = dt.datetime(2024, 3, 10, 12, tzinfo=dt.UTC)


class World:
    """What there is: `tick` evaluates, the rest makes things happen. Names stand for assets."""

    def __init__(self, *assets: Any, start: dt.datetime = START) -> None:
        self.graph = AssetGraph.build(assets)
        self.instance = Instance.ephemeral()
        self.now = start
        self.cursor = ConditionCursor()
        self.last: Evaluation | None = None
        self._runs = 0

    def tick(self, **passed: float) -> dict[str, set[str | None]]:
        """What is requested once so much time has passed (a minute unless said), by name."""
        self.now += dt.timedelta(**(passed or {"minutes": 1}))
        watched = Watched.of(self.graph)
        snapshot = read_snapshot(watched, self.instance, self.cursor, self.now.timestamp())
        everything = tuple(watched.conditions)
        found = evaluate_conditions(watched, snapshot, self.cursor, store=self.instance)
        told = evaluate_conditions(watched, snapshot, self.cursor, store=self.instance, explain=everything)
        assert (told.requested, told.cursor) == (found.requested, found.cursor)
        text = found.cursor.to_json(self.graph)
        self.cursor = ConditionCursor.from_json(text, self.graph)
        assert self.cursor == found.cursor
        self.last = told
        return {key.to_user_string(): set(subset) for key, subset in found.requested.items()}

    def make(self, *names: str, partition: str | None = None, run_id: str = "", version: str | None = None) -> None:
        """Record that assets were made."""
        tags = {} if version is None else {DATA_VERSION_TAG: version}
        self._store(
            Event(
                "ASSET_MATERIALIZATION",
                run_id,
                self.now.timestamp(),
                data=AssetMaterialization(key, partition=partition, tags=tags),
            )
            for key in map(AssetKey.from_user_string, names)
        )

    def observe(self, name: str, version: str | None) -> None:
        """Record that a table was looked at."""
        tags = {} if version is None else {DATA_VERSION_TAG: version}
        self._store([Event("ASSET_OBSERVATION", "", self.now.timestamp(), data=AssetObservation(AssetKey(name), tags=tags))])

    def start(self, *names: str, partition: str | None = None) -> str:
        """Record that a run of assets is under way; its id."""
        self._runs += 1
        tags = {} if partition is None else {"warehouse_assets/partition": partition}
        keys = tuple(map(AssetKey.from_user_string, names))
        run = RunRecord(f"run {self._runs}", "QUEUED", self.now.timestamp(), tags=tags, asset_keys=keys)
        self.instance.create_run(run)
        self._store([Event("RUN_START", run.run_id, self.now.timestamp())])
        return run.run_id

    def end(self, run_id: str, *, failed: bool = False) -> None:
        """Record that a run has ended."""
        self._store([Event("RUN_FAILURE" if failed else "RUN_SUCCESS", run_id, self.now.timestamp())])

    def run(self, *names: str, partition: str | None = None) -> None:
        """A whole run."""
        run_id = self.start(*names, partition=partition)
        self.make(*names, partition=partition, run_id=run_id)
        self.end(run_id)

    def follow(self, requested: dict[str, set[str | None]]) -> None:
        """Run what was requested, in runs as the daemon makes them."""
        from warehouse_assets.automation.conditions import runs_wanted

        keys = {AssetKey.from_user_string(name): frozenset(subset) for name, subset in requested.items()}
        for names, partition in runs_wanted(self.graph, keys):
            self.run(*(key.to_user_string() for key in names), partition=partition)

    def _store(self, events: Iterable[Event]) -> None:
        self.instance.store_events(events)
