"""How a run gets those who tell others of it. Asked once for each run; nothing of it is loaded where nobody is to be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from warehouse_assets.execution.resources import DefaultIOManager
from warehouse_assets.io_manager.registry import default_io_manager
from warehouse_assets.keys import AssetKey
from warehouse_assets.resources import Resource
from warehouse_assets.telemetry.settings import OFF, telemetry_wanted

if TYPE_CHECKING:
    from warehouse_assets.execution.session import RunSession

__all__ = ["watch"]


def watch(session: RunSession, resources: Mapping[str, Any]) -> None:
    """Have those listen to a run that are to be told of it.

    ExtraRequiredError where what is needed for that is not installed.
    """
    wanted = telemetry_wanted(lasting=not session.instance.is_ephemeral)
    if wanted is OFF:
        return
    from warehouse_assets.telemetry.watched import WatchedRun

    managers = _Managers(session, resources)
    makes = {step.key: step.asset_keys for step in session.plan.steps}
    watched = WatchedRun(session.run, session.graph, makes, managers.of)
    if wanted.openlineage:
        from warehouse_assets.telemetry.openlineage import LineageEvents, delivery_by

        session.listen(LineageEvents(watched, delivery_by(wanted.openlineage)))
    if wanted.opentelemetry:
        from warehouse_assets.telemetry.spans import RunSpans

        session.spans = RunSpans(watched, None if wanted.opentelemetry is True else wanted.opentelemetry)
        session.listen(session.spans)


class _Managers:
    """The I/O managers of a run, asked where tables are without being started for that."""

    def __init__(self, session: RunSession, resources: Mapping[str, Any]) -> None:
        self._session = session
        self._resources = resources
        self._known: dict[str, Any] = {}

    def of(self, key: AssetKey) -> Any:
        """The manager of an asset, with the values of its configuration; None for the default one of a record in memory."""
        name = self._session.graph.nodes[key].io_manager_key
        if isinstance(self._resources.get(name), DefaultIOManager) and self._session.instance.is_ephemeral:
            return None
        if (started := self._session.pool.started(name)) is not None:
            return started
        if name not in self._known:
            self._known[name] = self._configured(name)
        return self._known[name]

    def _configured(self, name: str) -> Any:
        declared = self._resources.get(name)
        if isinstance(declared, DefaultIOManager):
            return default_io_manager(str(self._session.instance.storage_path))
        return declared.resolve() if isinstance(declared, Resource) else declared
