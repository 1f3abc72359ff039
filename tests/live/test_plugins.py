"""The example plug-ins with a BPF program, and with names, installed and used in a profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import targets
from tests.examples import install
from tests.live.profiled import count_events, profile, run

BIG, SMALL, TIMES = 8192, 100, 50
WRITES = f"""
import os
out = os.open("/dev/null", os.O_WRONLY)
for _ in range({TIMES}):
    os.write(out, bytes({BIG}))
    os.write(out, bytes({SMALL}))
"""


def test_an_event_with_a_program_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("event", tmp_path, monkeypatch)
    command = ("python3", "-ISB", "-c", WRITES)
    big = count_events("bigwrite", command=command)
    assert big.total == TIMES
    assert big.count_of("entry_SYSCALL_64_after_hwframe_[k]") == TIMES
    assert big.stats["event"] == "bigwrite"
    every = count_events(f"bigwrite:{SMALL}", command=command)
    assert 2 * TIMES <= every.total < 3 * TIMES  # Python's own are few
    old = count_events("bigwrite", command=command, module="tests.live.old_kernel")
    assert old.total == TIMES
    assert "bigwrite:BYTES" in run("profile", "-e", "help").stdout
    by_bcc = run("profile", "-e", "bigwrite", "--loader", "bcc", "-d", 1)
    assert by_bcc.returncode == 5
    assert "bcc loads ebprof's own programs only, not bigwrite" in by_bcc.stderr
    refused = run("profile", "-e", "bigwrite:much", "-d", 1)
    assert refused.returncode == 2
    assert "cannot read size 'much'" in refused.stderr


def test_a_runtime_that_names_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("symbolizer", tmp_path, monkeypatch)
    with targets.running("jit") as target:
        names = Path(f"/tmp/names-{target.pid}")
        perf_map = Path(f"/tmp/perf-{target.pid}.map")
        names.write_text(perf_map.read_text().replace("jitted", "named"))
        perf_map.unlink()
        try:
            done = profile("-p", target.pid, seconds=1)
        finally:
            names.unlink()
    assert done.count_calls("call_jitted", "named_entry", "named_leaf") >= 0.9 * done.total > 0
