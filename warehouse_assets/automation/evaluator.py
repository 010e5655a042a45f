"""The process that evaluates the schedules and sensors of one code location: `python -m warehouse_assets.automation.evaluator`.

It is asked line by line on its standard input, and answers on what its standard output was; what user code prints goes to the standard
error. The first line names the code location, and is answered by whether it could be loaded.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from warehouse_assets.events import CodeLocation, ErrorInfo, event_data_to_json

__all__ = ["main"]


def main() -> None:
    """Answer until nobody asks any more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    location = CodeLocation(**json.loads(sys.stdin.readline()))
    try:
        from warehouse_assets.automation.evaluation import TickRequest, evaluate_here
        from warehouse_assets.code_location.loading import load_definitions
        from warehouse_assets.instance import Instance

        definitions = load_definitions(location.module, Path(location.working_directory))
    except BaseException as error:  # noqa: BLE001 - what a module raises, SystemExit too, is the answer
        traceback.print_exc()
        answers.write(json.dumps(event_data_to_json(ErrorInfo.of(error))) + "\n")
        return
    answers.write("null\n")
    with Instance.get() as instance:
        for line in sys.stdin:
            answers.write(evaluate_here(definitions, location, instance, TickRequest.from_json(line)).to_json() + "\n")


if __name__ == "__main__":
    main()
