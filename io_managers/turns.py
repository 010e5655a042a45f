"""Taking turns with other processes on a file that only one of them can hold."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Generator

try:
    import fcntl
except ImportError:  # not on Windows, where whoever comes first has the file
    fcntl = None  # type: ignore[assignment]

__all__ = ["Turns"]


class Turns:
    """How processes on this machine tell each other that they wait for a file: a lock on a file of the same name elsewhere.

    It lies in the folder for temporary files, one folder for each user, and is gone with the process that holds it.
    """

    def __init__(self, path: str) -> None:
        self._folder = os.path.join(tempfile.gettempdir(), f"warehouse-assets-{os.getuid() if fcntl else 0}")
        self._sign = os.path.join(self._folder, f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.waiting")

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """Tell the others, while the block lasts, that this process waits for the file."""
        with contextlib.suppress(OSError):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
        with self._opened(os.O_CREAT) as descriptor:
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield

    def someone_waits(self) -> bool:
        """Whether a process waits for the file; this one is counted, too."""
        with self._opened() as descriptor:
            if descriptor is None:
                return False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
            return False

    @contextlib.contextmanager
    def _opened(self, flags: int = 0) -> Generator[int | None]:
        descriptor = None
        if fcntl is not None:
            with contextlib.suppress(OSError):
                descriptor = os.open(self._sign, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)
