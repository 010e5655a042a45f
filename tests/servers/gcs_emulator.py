"""Starts the emulator of Google's cloud storage, and teaches it the condition that an object is not there yet, which it ignores."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any

from gcp_storage_emulator.handlers import objects  # type: ignore[import-untyped]

_insert = objects.insert


def _insert_if(request: Any, response: Any, storage: Any, *args: Any, **kwargs: Any) -> None:
    """Insert an object, unless it is there and `ifGenerationMatch=0` says that it must not be; one request comes after another."""
    if request.query.get("ifGenerationMatch", [""])[0] == "0":
        name = request.query.get("name", [None])[0] or (request.data.get("meta") or request.data).get("name")
        if _is_there(storage, request.params["bucket_name"], name):
            response.status = HTTPStatus.PRECONDITION_FAILED
            return
    _insert(request, response, storage, *args, **kwargs)


def _is_there(storage: Any, bucket: str, name: str) -> bool:
    from gcp_storage_emulator.exceptions import NotFound  # type: ignore[import-untyped]

    try:
        storage.get_file_obj(bucket, name)
    except NotFound:
        return False
    return True


if __name__ == "__main__":
    objects.insert = _insert_if  # before the server takes note of it
    from gcp_storage_emulator.__main__ import main  # type: ignore[import-untyped]

    sys.exit(main())
