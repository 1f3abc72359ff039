"""`ebprof changes --wait`: this machine now, and a recording of when all was well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ebprof import cli
from tests import targets

Capture = pytest.CaptureFixture[str]
NAME = "newcomer"


def test_this_machine_without_a_collector(tmp_path: Path, capsys: Capture) -> None:
    """The first run saves what it took; a process that came since is in the second."""
    saved, program = tmp_path / "saved" / "x.json.gz", tmp_path / NAME
    words = ["changes", "--wait", "5", "--json", "--save", str(saved)]

    def run() -> tuple[str, str]:
        with pytest.raises(SystemExit) as found:
            cli.main(words)
        out, said = capsys.readouterr()
        assert found.value.code in (0, None), said
        return out, said

    out, said = run()
    assert out == "" and "there was nothing to compare with: saved to " in said
    kept = saved.read_bytes()
    shutil.copy(targets.build("shop"), program)
    with targets.started([program, 0]) as one, targets.resting(one.pid, 0.3):
        rows = json.loads(run()[0])["rows"]
    came = [row["name"] for row in rows if row["kind"] == "processes" and row["fate"] == "new"]
    assert NAME in came, [row["text"] for row in rows]
    assert saved.read_bytes() == kept
