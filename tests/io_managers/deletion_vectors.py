"""Deletion vectors, as other writers of Delta Lake make them: rows are gone that their file still has."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

RFC_1924 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
MAGIC, COOKIE = 1681511377, 12346  # of a deletion vector, and of a Roaring bitmap without runs


def inline(rows: list[int]) -> dict[str, Any]:
    """What a log says of a file some of whose first 65,536 rows are gone, told by their numbers."""
    bitmap = struct.pack("<IIHHI", COOKIE, 1, 0, len(rows) - 1, 16) + struct.pack(f"<{len(rows)}H", *sorted(rows))
    data = struct.pack("<IQI", MAGIC, 1, 0) + bitmap
    data += bytes(-len(data) % 4)
    text = base64.b85encode(data).translate(bytes.maketrans(RFC_1924, Z85)).decode()
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(data), "cardinality": len(rows)}


def delete_rows(uri: str, rows: list[int]) -> None:
    """Make the version of a table in which rows of its only file are gone, without a file that is written anew."""
    table = DeltaTable(uri)
    table.alter.set_table_properties({"delta.enableDeletionVectors": "true"})
    version = table.version()
    added = next(json.loads(line)["add"] for path in log(uri) for line in path.read_text().splitlines() if '"add"' in line)
    removed = {"path": added["path"], "dataChange": True, "deletionTimestamp": 1, "extendedFileMetadata": True}
    removed |= {"partitionValues": {}, "size": added["size"]}
    actions = [{"commitInfo": {"timestamp": 1, "operation": "DELETE"}}, {"remove": removed}]
    actions.append({"add": {**added, "deletionVector": inline(rows)}})
    log(uri)[-1].with_name(f"{version + 1:020}.json").write_text("\n".join(map(json.dumps, actions)))


def log(uri: str) -> list[Path]:
    """The entries of the log, the oldest first."""
    return sorted(Path(uri, "_delta_log").glob("*.json"))
