from __future__ import annotations

import os
import subprocess
import sys

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from io_managers.files import Files, file_path
from warehouse_assets.keys import AssetKey

KEYS = st.lists(st.text(min_size=1), min_size=1, max_size=4).map(AssetKey)


@given(KEYS, KEYS)
def test_two_keys_never_share_a_path(one, other):
    assert (file_path(one, ".parquet") == file_path(other, ".parquet")) == (one == other)


@given(KEYS)
def test_a_path_stays_in_its_folder_and_fits_every_file_system(key):
    parts = file_path(key, ".parquet").split("/")

    assert len(parts) == len(key.path)
    assert all(part[0] != "." and part.isascii() and len(part) <= 220 for part in parts)


@pytest.mark.parametrize("place", ["local", "memory://files"])
def test_a_failed_replacement_leaves_the_old_file_and_nothing_else(tmp_path, place):
    files = Files(str(tmp_path) if place == "local" else place)
    path = files.path(AssetKey("a"), ".txt")

    def write(text: bytes, fail: bool) -> None:
        with files.replacing(path) as target:
            if isinstance(target, str):
                with open(target, "wb") as file:
                    file.write(text)
            else:
                target.write(text)
            if fail:
                raise ValueError("half way")

    write(b"old", fail=False)
    with pytest.raises(ValueError, match="half way"):
        write(b"new", fail=True)
    with files.open(path) as file:
        content = file.read()

    assert content == b"old"
    assert len(os.listdir(tmp_path) if place == "local" else fsspec.filesystem("memory").find("/files")) == 1


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_has_is_not(tmp_path):
    script = f"""
import os, signal
from io_managers.files import Files
from warehouse_assets.keys import AssetKey
files = Files({str(tmp_path)!r})
with files.replacing(files.path(AssetKey("a"), ".txt")) as staged:
    open(staged, "w").close()
    print(os.path.basename(staged), flush=True)
    input()
"""

    def start() -> tuple[subprocess.Popen[str], str]:
        child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        return child, child.stdout.readline().strip()

    dead, left = start()
    dead.kill()
    dead.communicate()
    alive, held = start()
    files = Files(str(tmp_path))
    with files.replacing(files.path(AssetKey("b"), ".txt")) as staged:
        open(str(staged), "w").close()
    names = set(os.listdir(tmp_path))
    alive.communicate("\n")

    assert names == {held, "b.txt"}
    assert left not in names
