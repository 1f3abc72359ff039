"""Names of a stripped program by what is found elsewhere are those that it had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof.commands import _symbol_options
from ebprof.errors import UsageError
from ebprof.model import Frame
from ebprof.symbolize import Symbolizer
from ebprof.symbolize.elsewhere import NOWHERE, Elsewhere
from tests import binutils, objects, stripped, targets
from tests.debuginfod import serving
from tests.unit.symbolize.conftest import opened


class World:
    """The demo as it was, stripped, and what was taken away."""

    def __init__(self, path: Path) -> None:
        self.whole = targets.build("demo")
        self.bare = stripped.without_symbols(self.whole, path / "bare")
        self.debug = stripped.debug_file(self.whole, path / "debug")
        self.cache = path / "cache" / "symcache"
        places = binutils.functions(self.whole).values()
        self.addresses = [one for start, size in places for one in range(start, start + size, 5)]
        with opened(self.bare) as file:
            self.build_id = file.image.build_id

    def frames(self, elsewhere: Elsewhere) -> dict[int, tuple[Frame, ...]]:
        symbolizer = Symbolizer(cache=self.cache, elsewhere=elsewhere)
        with opened(self.bare) as file:
            found = symbolizer.object_locations(file, self.addresses)
        symbolizer.close()
        assert symbolizer.warnings == ()
        return {address: one.frames for address, one in found.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield World(tmp_path_factory.mktemp("elsewhere"))


@pytest.mark.parametrize("what", ["debug", "whole"])
def test_names_by_a_directory(world: World, tmp_path: Path, what: str) -> None:
    stripped.copied(getattr(world, what), tmp_path / "any-name")
    expected = objects.frames_by_tool(world.whole, world.addresses)
    assert world.frames(Elsewhere((tmp_path,))) == expected
    assert world.frames(NOWHERE) != expected
    assert any(len(frames) > 1 and frames[0].line for frames in expected.values())


def test_names_by_a_server(world: World) -> None:
    expected = objects.frames_by_tool(world.whole, world.addresses)
    with serving() as server:
        server.give(world.build_id, world.debug.read_bytes())
        for _ in range(2):
            assert world.frames(Elsewhere(servers=(server.url,))) == expected
        assert server.asked == [f"/buildid/{world.build_id}/debuginfo"]


def test_servers_as_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGINFOD_URLS", "http://a http://b")
    assert _symbol_options.servers([]) == ()
    assert _symbol_options.servers(["https://c", "env"]) == ("https://c", "http://a", "http://b")
    with pytest.raises(UsageError, match="'server' is no http"):
        _symbol_options.servers(["server"])
    monkeypatch.delenv("DEBUGINFOD_URLS")
    with pytest.raises(UsageError, match="--debuginfod env needs"):
        _symbol_options.servers(["env"])
