from __future__ import annotations

from pathlib import Path

import pytest

from warehouse_assets.cli.daemon import _record_in_reach


def test_a_record_out_of_reach_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.write_text("in the way")
    monkeypatch.setenv("WAREHOUSE_ASSETS_HOME", str(home))
    monkeypatch.delenv("WAREHOUSE_ASSETS_URL", raising=False)
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            home.unlink()

    with _record_in_reach(wait) as instance:
        runs = instance.get_runs()

    assert (runs, pauses) == ([], [1.0, 2.0, 4.0])
    assert capsys.readouterr().out.count("the record is out of reach") == 1
