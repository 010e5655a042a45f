"""Make the eight tables of TPC-H as Parquet files: nothing here knows of warehouse-assets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")


def land(folder: Path, scale: float = 1) -> None:
    """Have tpchgen-cli write the tables into `folder`, unless they are there; scale 1 is a third of a gigabyte."""
    if folder.exists():
        return
    program = generator()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as made:  # what is broken off leaves nothing that looks whole
        command = [program, "parquet", "--quiet", f"--scale-factor={scale:g}", f"--output-dir={made}/tpch"]
        subprocess.run(command, check=True)
        Path(made, "tpch").rename(folder)


def generator() -> str:
    """The program that makes the data: the one beside this Python first, then that of the path."""
    program = shutil.which("tpchgen-cli", path=str(Path(sys.executable).parent)) or shutil.which("tpchgen-cli")
    if program is None:
        raise SystemExit("The tables are made by the package tpchgen-cli: pip install tpchgen-cli")
    return program
