"""`Locations`: the code locations that a daemon works for, loaded in its process; one that cannot be loaded does not keep the others from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.events import CodeLocation, ErrorInfo, error_line

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["Locations", "location_of"]

logger = logging.getLogger(__name__)


class Locations:
    """Loads code locations when they are first asked for, and remembers why one could not be.

    InvalidDefinitionError where two have one name, since what is recorded of their schedules would be mixed up.
    """

    def __init__(self, locations: Iterable[CodeLocation], *, say: Callable[[str], None] = logger.warning) -> None:
        self.locations = tuple(locations)
        names = [location.name for location in self.locations]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidDefinitionError(
                f"several code locations are called {twice[0]!r}", hint="Give them names of their own."
            )
        self._say = say
        self._loaded: dict[CodeLocation, Definitions] = {}
        self.errors: dict[CodeLocation, ErrorInfo] = {}
        self._on_reload: list[Callable[[], object]] = []

    def __call__(self, location: CodeLocation) -> Definitions:
        """The definitions of a code location; what its module raises is raised, once it was told."""
        from warehouse_assets.code_location.loading import load_definitions

        if (definitions := self._loaded.get(location)) is None:
            try:
                definitions = self._loaded[location] = load_definitions(location.module, Path(location.working_directory))
            except (Exception, SystemExit) as error:
                if location not in self.errors:
                    self._say(f"{location.name} cannot be loaded: {error_line(error)}")
                self.errors[location] = ErrorInfo.of(error)
                raise
            self.errors.pop(location, None)
        return definitions

    def loaded(self) -> Iterator[tuple[CodeLocation, Definitions]]:
        """All that can be loaded. One that could not is not tried again before `reload`."""
        for location in self.locations:
            if location in self.errors:
                continue
            try:
                definitions = self(location)
            except (Exception, SystemExit):  # noqa: BLE001 - it was told, and is remembered
                continue
            yield location, definitions

    def on_reload(self, *calls: Callable[[], object]) -> None:
        """What to call when all are to be loaded anew."""
        self._on_reload += calls

    def reload(self) -> None:
        """Load all of them anew when they are next asked for, with the modules in their folders that they import."""
        from warehouse_assets.code_location.loading import forget_modules

        self._loaded.clear()
        self.errors.clear()
        for location in self.locations:
            forget_modules(Path(location.working_directory))
        for call in self._on_reload:
            call()
