"""A file for each asset, in any file system that fsspec knows."""

from io_managers.fsspec.manager import FsspecIOManager

__all__ = ["FsspecIOManager"]
