"""Files that people push: what is sent, what is said of each, what goes on where it ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ebprof.agent import files, streams
from ebprof.agent.files import FileSender, Result, files_below
from ebprof.agent.objects import offering_of
from ebprof.agent.sender import Answer
from ebprof.collector.receive.refusals import RefusedError
from ebprof.errors import EbprofError, NoPermissionError
from ebprof.symbolize.quality import Quality
from ebprof.wire import symbols
from tests import stripped, targets
from tests.objects import Object
from tests.unit.agent.fakes import Service

URL = urlsplit("http://c")
PART = 50_000


class World:
    """A collector's part, and a clock that moves when somebody waits."""

    def __init__(self, path: Path) -> None:
        self.service = Service(path / "objects")
        self.now = 0.0
        self.waits: list[float] = []
        self.call: Callable[[str, bytes], Answer] = self._call
        self.sender = FileSender(
            lambda path, body: self.call(path, body), "http://c", lambda: self.now, self._sleep
        )

    def _call(self, path: str, body: bytes) -> Answer:
        try:
            return self.service.send(URL, body, "", path, "application/proto")
        except RefusedError as error:
            said = json.dumps({"code": error.code, "message": error.message})
            return Answer(error.status, body=said.encode())

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def quality(self, path: Path, *, is_debug: bool = False) -> int:
        """Of what the collector keeps of a file."""
        return self.service.files.quality((Object.of(path).identity, is_debug))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(streams, "PART", PART)
    return World(tmp_path)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return stripped.copied(targets.build("demo"), tmp_path / "whole")


def test_a_stripped_program_then_its_debug_file_then_nothing(
    world: World, whole: Path, tmp_path: Path
) -> None:
    bare = stripped.without_symbols(whole, tmp_path / "bare")
    debug = stripped.debug_file(whole, tmp_path / "debug")
    first, second = world.sender.send(bare), world.sender.send(debug)
    assert (first.result, first.contents) == (Result.SENT, ("dynsym",))
    assert (second.result, second.contents) == (Result.SENT, ("DWARF", "symtab"))
    assert first.identity == second.identity == Object.of(whole).identity
    assert first.size == len(Object.of(bare).stream)
    assert world.quality(whole) == Quality.DYNAMIC
    assert world.quality(whole, is_debug=True) == Quality.DWARF
    sent = world.service.parts
    for path in (bare, debug):
        assert world.sender.send(path).result == Result.KNOWN
    assert world.service.parts == sent
    assert world.sender.send(whole).result == Result.SENT, "better than the bare one"
    assert world.quality(whole) == Quality.DWARF


@pytest.mark.parametrize(
    ("make", "contents"),
    [
        (stripped.without_debug, ("symtab", "dynsym")),
        (stripped.with_minidebug, ("MiniDebugInfo", "dynsym")),
        (stripped.without_build_id, ("DWARF", "symtab", "dynsym")),
    ],
)
def test_what_is_in_a_file(
    world: World,
    whole: Path,
    tmp_path: Path,
    make: Callable[[Path, Path], Path],
    contents: tuple[str, ...],
) -> None:
    found = world.sender.send(make(whole, tmp_path / "made"))
    assert (found.result, found.contents) == (Result.SENT, contents)


def test_what_dwz_and_strip_moved_elsewhere_is_said(
    world: World, whole: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.write_bytes(b"shared.debug\0" + bytes(20))
    stripped.with_section(whole, ".gnu_debugaltlink", link)
    debug = stripped.debug_file(whole, tmp_path / "debug")
    bare = stripped.linked(whole, debug, tmp_path / "bare")
    assert "dwz" in world.sender.send(whole).notes[0]
    assert "in another file" in world.sender.send(bare).notes[-1]


def test_what_cannot_be_used_is_refused_before_it_is_sent(world: World, tmp_path: Path) -> None:
    whole = stripped.without_build_id(targets.build("demo"), tmp_path / "no-id")
    debug = stripped.debug_file(whole, tmp_path / "debug")
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n" * 9)
    relocatable = stripped.relocatable(tmp_path / "shared.o")
    reasons = {path: world.sender.send(path).reason for path in (debug, text, relocatable)}
    assert "without a build ID" in reasons[debug]
    assert reasons[text] == "not an ELF file"
    assert "dwz" in reasons[relocatable]
    assert world.sender.send(tmp_path / "none").reason == "no such file or directory"
    assert world.sender.send(tmp_path).reason == "not a regular file"
    assert world.service.wants == 0


def test_an_interrupted_push_goes_on_where_it_ended(
    world: World, whole: Path, tmp_path: Path
) -> None:
    calls = []

    def breaking(path: str, body: bytes) -> Answer:
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return world._call(path, body)

    world.call = breaking
    with pytest.raises(KeyboardInterrupt):
        world.sender.send(whole)
    world.call = world._call
    again = World(tmp_path / "again")
    again.service = world.service
    found = again.sender.send(whole)
    assert found.result == Result.SENT
    assert found.size == len(Object.of(whole).stream) - 2 * PART


@pytest.mark.parametrize("failure", [ConnectionResetError("gone"), 503, 429])
def test_what_may_pass_is_tried_again(
    world: World, whole: Path, failure: ConnectionError | int
) -> None:
    world.service.failures = [failure, failure]
    found = world.sender.send(whole)
    assert (found.result, world.waits) == (Result.SENT, [files.WAIT_S] * 2)


def test_who_asks_to_wait_is_heeded(world: World, whole: Path) -> None:
    answers = [Answer(503, retry_after="7")]
    world.call = lambda path, body: answers.pop() if answers else world._call(path, body)
    assert world.sender.send(whole).result == Result.SENT
    assert world.waits == [7.0]


def test_another_that_sends_the_same_has_its_turn(
    world: World, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = iter([symbols.Verdict.LATER] * 3 + [symbols.Verdict.KNOWN])
    monkeypatch.setattr(world.service.uploads, "decide", lambda _: (next(decided), 0))
    assert world.sender.send(whole).result == Result.KNOWN
    monkeypatch.setattr(world.service.uploads, "decide", lambda _: (symbols.Verdict.LATER, 0))
    found = world.sender.send(whole)
    assert (found.result, found.reason != "") == (Result.LATER, True)
    assert sum(world.waits) >= files.PATIENCE_S


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(401, body=b'{"error": "no valid token"}'), NoPermissionError, "no valid token"),
        (Answer(403), NoPermissionError, "answers 403"),
        (Answer(404), EbprofError, "takes no object files"),
        (Answer(500), EbprofError, "answers 500"),
        (Answer(500, body=b"[" * (1 << 16)), EbprofError, "answers 500"),
        (Answer(200, body=b"<html>"), EbprofError, "cannot be read"),
        (OSError(111, "Connection refused"), EbprofError, "connection refused"),
    ],
)
def test_a_collector_that_cannot_be_used_ends_it(
    world: World, whole: Path, answer: Answer | OSError, error: type[EbprofError], said: str
) -> None:
    def call(path: str, body: bytes) -> Answer:
        if isinstance(answer, OSError):
            raise answer
        return answer

    world.call = call
    with pytest.raises(error, match=said):
        world.sender.send(whole)


def test_a_refusal_has_the_collectors_reason(
    world: World, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = offering_of

    def lying(identity: str, *given: object, **more: object) -> object:
        return replace(real(identity, *given, **more), identity="ab01" * 10)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "offering_of", lying)
    found = world.sender.send(whole)
    assert found.result == Result.REFUSED
    assert found.reason.endswith(f"it is the object {Object.of(whole).identity}, not {'ab01' * 10}")


def test_elf_files_below_a_directory(tmp_path: Path, whole: Path) -> None:
    top = tmp_path / "top"
    (top / "b").mkdir(parents=True)
    stripped.copied(whole, top / "b/two")
    stripped.copied(whole, top / "one")
    (top / "text").write_text("text")
    (top / "link").symlink_to(whole)
    assert [*files_below(top)] == [top / "b/two", top / "one"]
