"""What was read of the files of a folder, kept beside no project but in the person's cache, by content.

It can be removed at any time. A file that cannot be read or written, or is not understood, is as good as none.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from warehouse_assets._version import __version__
from warehouse_assets.sql.references import Script, TableReference

__all__ = ["Remembered"]

_SPARE = 1_000  # entries of what is not there any more that are kept, since it may be on another branch


class Remembered:
    """What is remembered of a folder: scripts, and headers, which are what JSON can hold."""

    def __init__(self, file: Path, scripts: dict[str, Any], headers: dict[str, Any]) -> None:
        self._file = file
        self._kept = {"scripts": scripts, "headers": headers}
        self._used: dict[str, dict[str, Any]] = {"scripts": {}, "headers": {}}
        self._changed = False

    @classmethod
    def of(cls, root: str) -> Self:
        """What is remembered of a folder; nothing where it was read by another version."""
        file = _folder() / f"{_digest(os.path.realpath(root))}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(file.read_bytes())
            if found["stamp"] == _stamp() and isinstance(found["scripts"], dict) and isinstance(found["headers"], dict):
                return cls(file, found["scripts"], found["headers"])
        return cls(file, {}, {})

    def script(self, dialect: str, text: str) -> Script | None:
        """What was read of a text of SQL; None where nothing was."""
        key = _digest(dialect, text)
        try:
            found = self._kept["scripts"][key]
            references = (TableReference(tuple(parts), *rest) for parts, *rest in found["references"])
            script = Script(tuple(references), tuple((start, end) for start, end in found["statements"]))
        except (KeyError, TypeError, ValueError):
            return None
        self._used["scripts"][key] = found
        return script

    def add_script(self, dialect: str, text: str, script: Script) -> None:
        """Take up what was read of a text."""
        references = [(r.parts, r.start, r.end, r.line, r.alias, r.column) for r in script.references]
        self._add("scripts", _digest(dialect, text), {"references": references, "statements": script.statements})

    def header(self, text: str) -> dict[str, Any] | None:
        """What a header says; None where it was not read before."""
        key = _digest("header", text)
        found = self._kept["headers"].get(key)
        if isinstance(found, dict):
            self._used["headers"][key] = found
            return found
        return None

    def add_header(self, text: str, values: dict[str, Any]) -> None:
        """Take up what a header says."""
        self._add("headers", _digest("header", text), values)

    def save(self) -> None:
        """Write down what is new; of what is used no more, the rest is kept up to a number."""
        if not self._changed:
            return
        self._changed = False
        kept = {
            kind: {**dict([pair for pair in self._kept[kind].items() if pair[0] not in used][-_SPARE:]), **used}
            for kind, used in self._used.items()
        }
        import tempfile

        with suppress(OSError, ValueError, TypeError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._file.parent, suffix=".tmp")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(json.dumps({"stamp": _stamp(), **kept}, separators=(",", ":")))
                os.replace(name, self._file)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name)
                raise

    def _add(self, kind: str, key: str, value: Any) -> None:
        if self._used[kind].get(key) is None:
            self._used[kind][key] = value
            self._changed = True


def _digest(*texts: str) -> str:
    return blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@cache
def _stamp() -> str:
    """What is different wherever a text may be read differently: this package and how it reads, and sqlglot."""
    own = Path(__file__).parent
    files = [own / "analysis.py", own / "skimming.py", own / "references.py", Path(__file__)]
    if (sqlglot := find_spec("sqlglot")) is not None and sqlglot.origin is not None:
        files.append(Path(sqlglot.origin).parent / "_version.py")
    said = [__version__, sys.version]
    for file in files:
        with suppress(OSError, UnicodeDecodeError):
            said.append(file.read_text(encoding="utf-8"))
    return _digest(*said)


def _folder() -> Path:
    """Where programs of this person keep what they can find again."""
    if sys.platform == "win32":
        place = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    elif sys.platform == "darwin":
        place = os.path.expanduser("~/Library/Caches")
    else:
        place = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(place) / "warehouse-assets" / "sql"
