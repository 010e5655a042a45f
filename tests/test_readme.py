from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_code_runs_as_one_program_and_prints_what_the_readme_shows(tmp_path: Path) -> None:
    program = "\n".join(blocks("python"))

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=False, capture_output=True, text=True, encoding="utf-8"
    )

    assert done.stderr == ""
    assert done.stdout == "".join(blocks("text"))


def test_the_first_example_has_twelve_lines_of_code() -> None:
    lines = [line for line in blocks("python")[0].splitlines() if line]

    assert len(lines) == 12


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_what_the_readme_links_to_exists(target: str) -> None:
    assert (ROOT / target).exists()


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"^(?:\$ )?wa (\w+)", "\n".join(blocks("console")), re.MULTILINE))

    shown = subprocess.run([Path(sys.executable).with_name("wa"), "--help"], check=True, capture_output=True, text=True)

    assert named <= set(re.findall(r"^  (\w+)", shown.stdout, re.MULTILINE))
