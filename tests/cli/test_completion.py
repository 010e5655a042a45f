"""`wa completion`, and the answers to a shell that asks how a word goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Wa = Callable[..., Any]


@pytest.fixture
def ask(wa: Wa, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], set[str]]:
    """What may stand for the last word of a line."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "cache"))

    def asked(line: str) -> set[str]:
        monkeypatch.setenv("_WA_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - (not line.endswith(" "))))
        answer = wa()
        monkeypatch.delenv("_WA_COMPLETE")
        assert answer.err == ""
        return {row.partition(",")[2] for row in answer.out.splitlines()}

    return asked


def test_commands_options_and_keys_are_completed(ask: Callable[[str], set[str]]) -> None:
    assert ask("wa io") == {"io-managers"}
    assert ask("wa runs lo") == {"logs"}
    assert ask("wa list --js") == {"--json"}
    assert ask("wa show -m shop marts/") == {"marts/per_customer", "marts/best"}
    assert ask("wa list -m shop -s +staging/") == {"+staging/orders"}


def test_names_are_remembered_until_a_file_of_the_project_changes(ask: Callable[[str], set[str]], project: Path) -> None:
    (project / "few.py").write_text(
        "from warehouse_assets import asset, define_asset_job\n@asset\ndef one(): ...\njob = define_asset_job('nightly')\n"
    )

    before = ask("wa show -m few "), ask("wa materialize -m few -j ")
    (project / "few.py").write_text("from warehouse_assets import asset\n@asset\ndef other(): ...\n")
    os.utime(project / "few.py", (1, 1))
    sys.modules.pop("few")

    assert before == ({"one"}, {"nightly"})
    assert ask("wa show -m few ") == {"other"}


def test_a_module_that_cannot_be_loaded_completes_nothing(ask: Callable[[str], set[str]], project: Path) -> None:
    (project / "broken.py").write_text("print('hello')\nraise SystemExit(3)\n")

    assert ask("wa show -m broken ") == set()
    assert ask("wa show ") == set()


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_the_script_names_the_command(wa: Wa, shell: str) -> None:
    answer = wa("completion", shell)

    assert (answer.code, "_WA_COMPLETE" in answer.out, "wa" in answer.out) == (0, True, True)


def test_bash_accepts_its_script(wa: Wa) -> None:
    script = wa("completion", "bash").out

    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
