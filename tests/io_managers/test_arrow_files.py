"""Processes that end right after Arrow has read text from Python."""

from __future__ import annotations

import subprocess
import sys

ENDS_WHILE_READ = """
import io, sys, threading, time

from pyarrow import csv

from io_managers.arrow_files import readable_by_arrow

def count():
    with readable_by_arrow(io.BytesIO(b"a\\n1\\n2\\n")) as file, csv.open_csv(file) as reader:
        return sum(batch.num_rows for batch in reader)


def hold():
    with readable_by_arrow(io.BytesIO(b"held")) as file:
        buffer = file.read_buffer(4)
    is_held.set()
    time.sleep(0.3)
    print(buffer.to_pybytes().decode(), "is let go of")


print(count())
is_held = threading.Event()
threading.Thread(target=hold, daemon=True).start()
is_held.wait()
"""


def test_a_process_ends_after_what_was_read_is_let_go_of() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS_WHILE_READ], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "2\nheld is let go of\n", "")
