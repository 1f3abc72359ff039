"""A stripped program is named by debug files that are elsewhere, in a directory or at a server."""

from __future__ import annotations

from pathlib import Path

from tests import stripped, targets
from tests.debuginfod import serving
from tests.live.profiled import SOME, assert_complete, assert_share, profile
from tests.objects import Object

SHARES = {"sixty": 0.6, "thirty": 0.3, "ten": 0.1}


def test_names_by_a_directory_and_by_a_server(tmp_path: Path) -> None:
    whole = stripped.renamed(stripped.copied(targets.build("split"), tmp_path / "whole"))
    bare = stripped.without_symbols(whole, tmp_path / "bare")
    folder = tmp_path / "folder"
    folder.mkdir()
    with serving() as server, targets.started([bare, 0]) as target:
        nameless = profile("-p", target.pid)
        server.give(Object.of(whole).identity, whole.read_bytes())
        by_server = profile("-p", target.pid, "--debuginfod", server.url)
        stripped.debug_file(whole, folder / "any-name")
        by_folder = profile("-p", target.pid, "--debug-dir", folder)
    assert nameless.total > SOME
    assert nameless.count_calls("main", "serve") == 0
    for done in (by_server, by_folder):
        assert_complete(done)
        for function, share in SHARES.items():
            assert_share(done.count_calls("main", "serve", function), done.total, share)
    asked = f"/buildid/{Object.of(whole).identity}/debuginfo"
    assert server.asked.count(asked) == 1
