"""What text does not say of a table: kept in a small hidden file beside the one that has the rows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from zlib import crc32

import polars as pl

from io_managers.files import Files
from io_managers.fsspec.formats import FileFormat, TableFile
from io_managers.polars_types import decode, encode

__all__ = ["FileNotes", "Measured", "Note"]


class Measured:
    """A file that is written to, and knows how many bytes that were, and their checksum."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.bytes = 0
        self.checksum = 0

    def write(self, data: Any) -> int:
        """Write some bytes."""
        size = memoryview(data).nbytes
        self._target.write(data)
        self.bytes += size
        self.checksum = crc32(data, self.checksum)
        return size

    def flush(self) -> None:
        """Nothing: whoever opened the file closes it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


@dataclass(frozen=True, slots=True)
class Note:
    """A file that has these bytes is this table."""

    bytes: int
    checksum: int
    file: TableFile

    def as_json(self) -> dict[str, Any]:
        """The note as JSON can hold it."""
        return {
            "bytes": self.bytes,
            "crc32": self.checksum,
            "rows": self.file.rows,
            "columns": {name: encode(dtype) for name, dtype in self.file.schema.items()},
            "longest": self.file.longest,
            "mixed": list(self.file.mixed),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Note:
        """The note that `as_json` made."""
        schema = pl.Schema({name: decode(dtype) for name, dtype in data["columns"].items()})
        file = TableFile(schema, data["rows"], data["longest"], tuple(data["mixed"]))
        return cls(data["bytes"], data["crc32"], file)


class FileNotes:
    """The notes beside the files of one I/O manager; `orders.csv` has `.orders.csv.schema.json`.

    A note is written before its file is published, and keeps that of the file which is there: whatever happens in between, one of
    them is right, as the length and the checksum of the file tell. A file that neither is about was written by someone else: its
    columns are found out by looking, and have the types of those that a note names.
    """

    def __init__(self, files: Files, form: FileFormat) -> None:
        self._files = files
        self._form = form

    def remember(self, path: str, note: Note, beside: str | None = None) -> None:
        """Write down what is about to be published as `path`."""
        if self._form.says_types:
            return
        older = self._noted(path)
        if older:
            try:
                size = self._files.size(path)
            except FileNotFoundError:
                size = -1
            older = [each for each in older if each.bytes == size and each != note]
        text = json.dumps({"files": [each.as_json() for each in (note, *older)]}, ensure_ascii=False, indent=1).encode()
        with self._files.replacing(_place(path), beside=beside) as target:
            if isinstance(target, str):
                with open(target, "wb") as file:
                    file.write(text)
            else:
                target.write(text)

    def describe(self, path: str, source: BinaryIO) -> TableFile:
        """What there is to know of a file that is open; it is read from its start afterwards."""
        found = None if self._form.says_types else self._remembered(path, source)
        if found is None:
            found = self._form.described(source, pl.Schema())
        source.seek(0)
        return found

    def forget(self, path: str) -> None:
        """Remove the note of a file that is removed."""
        if not self._form.says_types:
            self._files.remove(_place(path))

    def _remembered(self, path: str, source: BinaryIO) -> TableFile | None:
        notes = self._noted(path)
        size = source.seek(0, os.SEEK_END)
        source.seek(0)
        fitting = {note.checksum: note.file for note in reversed(notes) if note.bytes == size}  # the newest of equal ones
        if len(fitting) == 1:
            return next(iter(fitting.values()))
        if fitting:
            return fitting.get(_checksum(source))
        return self._form.described(source, notes[0].file.schema) if notes else None

    def _noted(self, path: str) -> list[Note]:
        try:
            return [Note.from_json(each) for each in json.loads(self._files.content(_place(path)))["files"]]
        except FileNotFoundError:
            return []


def _place(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.schema.json"


def _checksum(source: BinaryIO) -> int:
    checksum = 0
    while chunk := source.read(1 << 20):
        checksum = crc32(chunk, checksum)
    source.seek(0)
    return checksum
