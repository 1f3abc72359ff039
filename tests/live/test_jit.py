"""Code without a file, named by a perf map."""

from __future__ import annotations

import re
from pathlib import Path

from tests import targets
from tests.live.profiled import assert_complete, profile


def test_jitted_code_has_names_and_callers() -> None:
    with targets.running("jit") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    chain = ("main", "call_jitted", "jitted_entry", "jitted_leaf")
    assert done.count(lambda stack: stack[-4:] == chain) >= 0.97 * done.total


def test_code_in_a_file_that_is_no_object_has_its_place(tmp_path: Path) -> None:
    with targets.running("jit", tmp_path / "app.dll") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    entry, leaf = r"\[app\.dll\]\+0x110\w", r"\[app\.dll\]\+0x12\w\w"
    chain = re.compile(f"main;call_jitted;{entry};{leaf}")
    assert done.count(lambda stack: chain.fullmatch(";".join(stack[-4:]))) >= 0.97 * done.total
