"""`python -m tests.soak`: kill daemons, runs and the server a hundred times, and look whether a run is lost or doubled."""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.soak.soak import VICTIMS, Soak


def main() -> int:
    """The exit code: 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--pause", type=float, default=2.0, help="at most these seconds between two kills")
    given = parser.parse_args()
    chosen = random.Random(given.seed).choices(VICTIMS, weights=(1, 2, 1), k=given.kills)
    begun = time.monotonic()
    with Soak(seed=given.seed, say=_say) as soak:
        soak.kill(chosen, pause=given.pause)
        soak.settle()
        faults, runs = soak.faults(), soak.instance.get_runs()
    _say("\n".join(faults))
    asked = sum(1 for run in runs if not (run.run_key or "").startswith("retry:"))
    kills = ", ".join(f"{count} of a {name}" for name, count in sorted(soak.kills.items()))
    _say(
        f"seed {given.seed}: {kills} killed in {time.monotonic() - begun:.0f} s; "
        f"{asked} runs asked for, {len(runs) - asked} retries, {len(faults)} faults"
    )
    return 1 if faults else 0


def _say(text: str) -> None:
    if text:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
