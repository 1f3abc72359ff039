"""Programs whose code does not lie where it usually does: in two segments, far into a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import targets
from tests.far_code import FAR, PF_X, move_code, segments
from tests.live.profiled import assert_complete, assert_share, profile

SPLIT = {"sixty": 0.6, "thirty": 0.3, "ten": 0.1}


def test_two_segments_of_code() -> None:
    path = targets.build("twotexts", "far_text")
    assert sum(flags & PF_X for _, flags, *_ in segments(path.read_bytes())) == 2
    with targets.running("twotexts", variant="far_text") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    assert_share(done.count_calls("main", "call_near", "near_leaf"), done.total, 0.5)
    assert_share(done.count_calls("main", "call_far", "far_leaf"), done.total, 0.5)


def test_code_above_4_gib_of_file_offset(tmp_path: Path) -> None:
    path = tmp_path / "split"
    try:
        move_code(targets.build("split"), path)
    except OSError as error:
        pytest.skip(f"no file of {FAR} bytes here: {error}")
    with targets.started([path, 0]) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for function, share in SPLIT.items():
        assert_share(done.count_calls("main", "serve", function), done.total, share)
