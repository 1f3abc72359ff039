"""One ledger for runs of every kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ebprof.errors import BadFileError
from ebprof.watch.ledger import BpfCost, Ledger, ToolCost


@dataclass(frozen=True)
class Sheep:
    """What this run counted."""

    sheep: int

    def to_json(self) -> dict[str, Any]:
        return {"sheep": self.sheep}


LEDGER = Ledger(Sheep(3), 2.0, BpfCost(10, 0.001), ToolCost(0.5), {"lost": 1}, {"KeyError at x": 1})


def test_what_was_counted_stands_beside_what_it_cost(tmp_path: Path) -> None:
    path = tmp_path / "stats"
    LEDGER.write(str(path))
    assert json.loads(path.read_text()) == {
        "sheep": 3,
        "duration_seconds": 2.0,
        "bpf": {"run_count": 10, "run_seconds": 0.001},
        "tool": {"ready_seconds": 0.5, "cpu_seconds": 0.0, "max_rss_bytes": 0},
        "counters": {"lost": 1},
        "failures": {"KeyError at x": 1},
    }


def test_a_closed_ledger_has_the_cost_of_the_tool() -> None:
    tool = LEDGER.closed(finish_seconds=0.25, command_cpu_seconds=-100.0).to_json()["tool"]
    assert (tool["ready_seconds"], tool["finish_seconds"]) == (0.5, 0.25)
    assert tool["cpu_seconds"] > 100 and tool["max_rss_bytes"] > 1 << 20


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"cannot write .*: no such file or directory"):
        LEDGER.write(str(tmp_path / "missing" / "stats"))
