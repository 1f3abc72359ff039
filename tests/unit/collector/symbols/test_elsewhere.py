"""A collector finds files in directories and at a debuginfod server, and names history by them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from ebprof.output import pprof
from tests import binutils, claims, collector_extra, objects, pushes, stripped, targets
from tests.collecting import Running
from tests.debuginfod import Server, serving
from tests.forked import Forked
from tests.objects import Object

collector_extra.need()
FLAMEGRAPH, MISSING = "/api/v1/profiles/flamegraph", "/api/v1/symbols/missing"
PATIENCE_S = 120
MOST = 300
"""Addresses of a program, or a few more."""
EARLIER_NS = 1200 * 10**9


@dataclass
class World:
    """A collector with a directory of debug files and a server, both empty at first."""

    path: Path
    folder: Path
    server: Server
    collector: Running

    def program(self, name: str) -> Program:
        """The demo with a build ID of its own, whose addresses have been pushed twice."""
        whole = stripped.renamed(stripped.copied(targets.build("demo"), self.path / name))
        found = Program(self, whole)
        for at_ns in (0, time.time_ns() - EARLIER_NS):
            profile = objects.profile_of(objects.locations(whole, found.addresses), at_ns)
            message = pushes.push(profile, labels={"service_name": name})
            assert self.collector.push(message).status == 200
        self.collector.wait_until_stored()
        return found


class Program:
    """bare: as a node has it; debug: what was taken away."""

    def __init__(self, world: World, whole: Path) -> None:
        self._world = world
        self.whole = whole
        self.name = whole.name
        self.bare = stripped.without_symbols(whole, whole.with_suffix(".bare"))
        self.debug = stripped.debug_file(whole, whole.with_suffix(".debug"))
        self.identity = Object.of(whole).identity
        functions = sorted(binutils.functions(whole).values())
        every = {one for start, size in functions for one in range(start, start + size, 9)}
        self.addresses = sorted(every)[:: len(every) // MOST]
        self.expected = objects.frames_by_tool(whole, self.addresses)
        assert any(len(frames) > 1 and frames[0].line for frames in self.expected.values())

    def send(self) -> None:
        """Send the program as an agent does."""
        assert objects.is_kept(objects.send(self._world.collector, Object.of(self.bare)))

    @property
    def query(self) -> str:
        return f'{{service_name="{self.name}"}}'

    def is_named(self) -> bool:
        """Whether all samples have the names, files, lines and inlined calls of the whole file."""
        answer = self._world.collector.get(FLAMEGRAPH, type="cpu", query=self.query, format="pprof")
        assert answer.status == 200, answer.body
        samples = pprof.read(io.BytesIO(answer.body)).samples
        return {one.locations[0].frames for one in samples} == {*self.expected.values()}

    def nameless(self) -> set[int]:
        """What flame graphs say that is in functions without a name, in three formats."""
        found = set()
        for form in ("tree", "columns", "folded"):
            answer = self._world.collector.get(
                FLAMEGRAPH, type="cpu", query=self.query, format=form, from_="now-10m"
            )
            found.add(json.loads(answer.headers["ebprof-summary"])["nameless"])
        return found

    def missing(self) -> dict[str, Any]:
        """What the collector says that it has no names for."""
        answer = self._world.collector.get(MISSING, query=self.query, from_="now-10m")
        assert answer.status == 200, answer.body
        return dict(answer.json)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.5)  # each look costs the store a tenth of a second


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path = tmp_path_factory.mktemp("elsewhere")
    folder = path / "debug-files"
    folder.mkdir()
    with serving() as server:
        options = ("--debug-dir", str(folder), "--debuginfod", server.url)
        with Running(path / "data", *options) as collector:
            collector.wait_until_ready()
            yield World(path, folder, server, collector)


def test_a_directory_and_what_is_missing_until_then(world: World) -> None:
    program = world.program("folder")
    found = program.missing()
    (row,) = found["rows"]
    assert (row["build_id"], row["file"]) == (program.identity, str(program.whole))
    assert row["nameless"] == row["self"] == found["nameless"] == found["total"] > 0
    assert row["addresses"] == len(program.addresses)
    assert (row["object"], row["debug"]) == (None, None)
    assert program.nameless() == {found["self"]}
    assert row["help"] == f"the file itself: ebprof symbols push {program.whole}"
    program.send()
    wait_until(lambda: program.missing()["rows"][0]["object"] == "dynamic")
    assert "its debug file" in program.missing()["rows"][0]["help"]
    assert not program.is_named()
    stripped.copied(program.debug, world.folder / "shop.debug")
    wait_until(program.is_named)
    left = program.missing()
    assert (left["total"], left["self"], left["nameless"]) == (found["total"], 0, 0)
    assert left["rows"] == []
    assert program.nameless() == {0}
    assert world.collector.metric('debug_dir_files_total{result="kept"}') == 1
    assert world.collector.metric("debug_dir_files") == 1


def test_a_server_has_the_debug_file_and_the_program_too(world: World) -> None:
    program = world.program("server")
    wait_until(lambda: f"/buildid/{program.identity}/executable" in world.server.asked)
    assert f"/buildid/{program.identity}/debuginfo" in world.server.asked
    assert world.collector.metric('debuginfod_requests_total{result="missing"}') >= 2
    program.send()
    wait_until(lambda: bool(program.missing()["rows"][0]["object"]))
    assert "no debuginfod server has it" in program.missing()["rows"][0]["help"]


def test_what_a_server_has_names_history(tmp_path: Path) -> None:
    with serving() as server, Running(tmp_path / "data", "--debuginfod", server.url) as collector:
        collector.wait_until_ready()
        world = World(tmp_path, tmp_path, server, collector)
        whole = stripped.renamed(stripped.copied(targets.build("demo"), tmp_path / "known"))
        program = Program(world, whole)
        server.give(program.identity, program.debug.read_bytes())
        server.give(program.identity, program.bare.read_bytes(), "executable")
        world.program("known")
        wait_until(program.is_named)
        assert collector.metric('debuginfod_requests_total{result="found"}') == 2
        assert collector.metric("debuginfod_received_bytes_total") > 0
        assert len(server.asked) == 2
        assert [*(tmp_path / "data" / "objects" / "found").iterdir()] == []


def ebprof(*words: object) -> tuple[int, list[str]]:
    """Exit code, and lines on stdout, of a command."""
    done = Forked("ebprof", *words, stdout=PIPE, stderr=PIPE, text=True)
    printed, said = done.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in said
    return done.returncode, printed.splitlines()


def test_what_a_build_pushes_names_history(world: World) -> None:
    program = world.program("built")
    to = ("--collector", f"http://127.0.0.1:{world.collector.port}")
    of = ("--query", program.query, *to)
    _, (first, _, row) = ebprof("symbols", "missing", *of)
    assert first.startswith("100.0 % of cpu in the last 1h is in functions without a name")
    assert program.identity[:12] in row
    assert "nothing" in row
    text = world.path / "text"
    text.write_text("no ELF file\n" * 9)
    code, lines = ebprof("symbols", "push", program.bare, text, program.debug, *to)
    assert code == 6
    assert f"{program.identity}  {program.bare}  dynsym: uploaded" in lines[0]
    assert lines[1] == f"{text}: refused: not an ELF file"
    assert f"{program.identity}  {program.debug}  DWARF, symtab: uploaded" in lines[2]
    wait_until(program.is_named)
    code, lines = ebprof("symbols", "push", program.bare, program.debug, *to)
    assert code == 0
    assert [one.rpartition(": ")[2] for one in lines] == ["already there"] * 2
    assert len(ebprof("symbols", "missing", *of)[1]) == 1


def test_hostile_files_in_a_directory_are_refused_and_counted(world: World) -> None:
    program = world.program("hostile")
    program.send()
    good = program.debug.read_bytes()
    kept = world.collector.metric('debug_dir_files_total{result="kept"}')
    hidden = world.path / "hidden"
    hidden.write_bytes(good)
    places = world.folder / ".build-id" / program.identity[:2]
    places.mkdir(parents=True)
    wrong = stripped.renamed(stripped.copied(program.debug, world.path / "another"))
    stripped.copied(wrong, places / f"{program.identity[2:]}.debug")
    (world.folder / "link").symlink_to(hidden)
    (world.folder / "cut").write_bytes(good[: len(good) // 2])
    bomb = stripped.copied(program.debug, world.folder / "bomb")
    claims.compressed(bomb, claims.ZSTD, 1 << 40)
    counts = {"outside": 1, "unreadable": 2, "refused": 1}
    names = {f'debug_dir_files_total{{result="{one}"}}': n for one, n in counts.items()}
    wait_until(lambda: {one: world.collector.metric(one) for one in names} == names)
    assert not program.is_named()
    assert world.collector.metric('debug_dir_files_total{result="kept"}') == kept
    (world.folder / "good").write_bytes(good)
    wait_until(program.is_named)
