"""What a page of an asset has done beside launching it: evaluate its checks, observe a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.events import CodeLocation
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.asset import AssetRequest
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["CheckRequest", "CheckRun", "Observed", "observe_source", "start_checks"]


class CheckRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The checks of which asset are to be evaluated: those of `names`, or all."""

    location: CodeLocation
    key: tuple[str, ...]
    names: tuple[str, ...] = ()


class CheckRun(msgspec.Struct, frozen=True):
    """The run that was asked for, and how many checks it evaluates."""

    run_id: str
    count: int


class Observed(msgspec.Struct, frozen=True):
    """What was seen of a source: the version of its data, where it tells one."""

    data_version: str | None


def start_checks(definitions: Definitions, request: CheckRequest) -> CheckRun:
    """Have the record keep a run of the checks, which waits for the daemon; InvalidSelectionError where none can be evaluated alone."""
    from warehouse_assets.automation.submission import run_for
    from warehouse_assets.graph.check_selection import CheckKeys

    key, instance = AssetKey(request.key), the_instance()
    own = {check.name: check for check in definitions.graph.checks if check.asset_key == key}
    if unknown := [name for name in request.names if name not in own]:
        raise InvalidSelectionError(f"asset {key.to_user_string()!r} has no check {unknown[0]!r}")
    chosen = [own[name] for name in request.names or own if definitions.graph.checks[own[name]].definition is not None]
    if not chosen:
        raise InvalidSelectionError(
            f"asset {key.to_user_string()!r} has no checks that are evaluated alone",
            hint="Materialize it: its function evaluates them.",
        )
    run = run_for(definitions, request.location, selection=CheckKeys(tuple(chosen)), instance=instance)
    (added,) = instance.event_log.add_runs([run])
    return CheckRun(added.run_id, len(chosen))


def observe_source(definitions: Definitions, request: AssetRequest) -> Observed:
    """Look at a source now, and record what is seen; InvalidSelectionError for what nothing observes."""
    from warehouse_assets.events import DATA_VERSION_TAG
    from warehouse_assets.execution.observe import observe

    key = AssetKey(request.key)
    source = definitions.graph[key].source
    if source is None or source.observe_function is None:
        raise InvalidSelectionError(
            f"asset {key.to_user_string()!r} cannot be observed", hint="Declare it with @observable_source_asset."
        )
    (seen,) = observe([source], instance=the_instance(), resources=definitions.resources)
    return Observed(seen.tags.get(DATA_VERSION_TAG))
