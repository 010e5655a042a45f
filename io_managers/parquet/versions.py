"""Earlier versions of tables that are one Parquet file: other names for the same bytes, in a folder beside the table."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from urllib.parse import unquote

from io_managers.asset_files import AssetFiles
from io_managers.files import COPIED_BYTES, Files, Stamp, encoded
from io_managers.parquet.files import Footers
from io_managers.write_locks import Confirm, one_at_a_time
from warehouse_assets.errors import InvalidDefinitionError, TableNotFoundError
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import TableOptions
from warehouse_assets.tables import TableVersion

__all__ = ["FOLDER", "History", "refuse_partitions"]

FOLDER = ".versions"

_MOMENT = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"(?P<version>(?P<moment>\d{8}T\d{12}Z)-(?P<mark>[0-9a-f]{8}))(?:\.(?P<run>.+))?\.parquet")


@dataclass(frozen=True, slots=True)
class Kept:
    """The file of a version, and what its name says: `mark` tells which present file it was made of."""

    path: str
    stamp: Stamp
    version: str
    timestamp: datetime
    mark: str
    run_id: str | None

    @classmethod
    def of(cls, path: str, stamp: Stamp) -> Kept | None:
        """That of a path; None where it is no name of a version."""
        found = _NAME.fullmatch(path.rpartition("/")[2])
        if found is None:
            return None
        run = found["run"]
        run_id = None if run is None or "%-" in run else unquote(run)  # that of a long name is cut
        return cls(path, stamp, found["version"], _moment(found["moment"]), found["mark"], run_id)


@dataclass(frozen=True, slots=True)
class History:
    """The versions of a table, of which the last `keep` stay, the present one among them; fewer than two: none.

    Each is a file in the folder `table.parquet.versions`, made after the table was published. One that was published and is no
    version yet, since a process was killed between or others wrote it, is told by its mark and becomes one with the next look.
    """

    own: AssetFiles
    keep: int

    def kept(self) -> list[Kept]:
        """What is kept, the oldest first."""
        found = self.own.files.found(self.own.whole + FOLDER, self.own.suffix)
        return sorted(filter(None, map(Kept.of, found, found.values())), key=lambda each: each.version)

    def versions(self, footers: Footers, now: datetime) -> Sequence[TableVersion]:
        """What is kept, as others see it; what others put in its place is made a version first, unless someone writes right now."""
        kept = self.kept()
        if self.keep > 1 and kept and kept[-1].mark != self._mark():
            with one_at_a_time(self.own.files, self.own.whole, wait=False) as confirm:  # it may be this very thread that writes
                if confirm is not None:
                    self.adopt(now)
                    kept = self.kept()
        told = footers.of({each.path: each.stamp for each in kept}, {})
        return [
            TableVersion(each.version, each.timestamp, each.run_id, told[each.path].rows) for each in kept if each.path in told
        ]

    def find(self, version: str) -> Kept:
        """The file of a version; TableNotFoundError, naming those that are kept, where there is none."""
        kept = self.kept()
        for each in kept:
            if each.version == version:
                return each
        known = ", ".join(each.version for each in kept)
        hint = f"It has {known}." if known else "None is kept: declare TableOptions(keep_versions=…)."
        raise TableNotFoundError(f"the table {self.own.files.uri(self.own.whole)} has no version {version!r}", hint=hint)

    def adopt(self, now: datetime) -> None:
        """Make a version of the present file where it is none."""
        if self.keep < 2:
            return
        kept, mark = self.kept(), self._mark()
        if mark is not None and (not kept or kept[-1].mark != mark):
            written = os.stat(self.own.whole).st_mtime if self.own.files.is_local else now.timestamp()
            self._add(kept, datetime.fromtimestamp(written, UTC), None)

    def add(self, now: datetime, run_id: str | None) -> str | None:
        """Make a version of the file that was just published, and remove those that are too old; its name."""
        files = self.own.files
        if self.keep < 2:
            files.remove_folder(self.own.whole + FOLDER)
            return None
        kept = self.kept()
        version = self._add(kept, now, run_id)
        for old in kept[: max(0, len(kept) + 1 - self.keep)]:
            files.remove(old.path)
        return version

    def restore(self, version: Kept, confirm: Confirm) -> None:
        """Publish the bytes of a version as the present file."""
        files, whole = self.own.files, self.own.whole
        if not files.is_local:
            confirm()
            _copy(files, version.path, whole)
            return
        with files.scratch(whole) as staged:
            _copy(files, version.path, staged)
            os.replace(staged, whole)

    def _add(self, kept: Sequence[Kept], moment: datetime, run_id: str | None) -> str | None:
        """The name of the version; None where another writer has replaced the file meanwhile, whose version it is to make."""
        files, mark = self.own.files, self._mark()
        if kept:
            moment = max(moment, kept[-1].timestamp + timedelta(microseconds=1))  # a clock may be put back
        version = f"{moment.astimezone(UTC):{_MOMENT}}-{mark}"
        run = f".{encoded(run_id)}" if run_id else ""
        path = f"{self.own.whole}{FOLDER}/{version}{run}{self.own.suffix}"
        _copy(files, self.own.whole, path)
        if self._mark() == mark:
            return version
        files.remove(path)
        return None

    def _mark(self) -> str | None:
        """What tells the present file from those that it replaces; None where there is none."""
        files, whole = self.own.files, self.own.whole
        if not files.is_local:
            stamp = files.stamp(whole)
        elif os.path.isfile(whole):
            stat = os.stat(whole)
            stamp = stat.st_size, f"{stat.st_ino} {stat.st_mtime_ns}"
        else:
            stamp = None
        return None if stamp is None else blake2s(repr(stamp).encode(), digest_size=4).hexdigest()


def refuse_partitions(key: AssetKey, options: TableOptions, partitions_def: object) -> None:
    """Raise InvalidDefinitionError for a table that is to keep versions and is made of many files."""
    if options.keep_versions is not None and partitions_def is not None:
        raise InvalidDefinitionError(
            f"asset {key.to_user_string()!r} has partitions and keep_versions, and Parquet keeps versions of whole tables only",
            hint="DeltaLakeIOManager and IcebergIOManager keep those of tables with partitions.",
        )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)


def _copy(files: Files, source: str, target: str) -> None:
    """Give the bytes of a file another name, in an object store as a copy that does not leave it; nobody sees half of it."""
    if not files.is_local:
        from io_managers.cloud import reaching

        try:
            with reaching(files.uri(source)):
                files.fs.cp_file(source, target)
        except NotImplementedError:
            with files.open(source) as old, files.replacing(target) as new:
                assert not isinstance(new, str)
                shutil.copyfileobj(old, new, COPIED_BYTES)
        files.fs.invalidate_cache()
        return
    os.makedirs(target.rpartition("/")[0], exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # the file system has no links, or no more of them
        with files.scratch(target) as staged:
            shutil.copyfile(source, staged)
            os.replace(staged, target)
