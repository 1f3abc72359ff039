"""The process of look-ups: what breaks it costs one answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ebprof.collector.symbols.client import FailedLookupError, LookupClient
from ebprof.symbolize.lookup import Answer, Lookup
from tests import binutils, objects, stripped, targets


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LookupClient]:
    found = LookupClient(tmp_path / "cache")
    yield found
    found.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return objects.excerpted(targets.build("demo"), tmp_path_factory.mktemp("objects") / "demo")


def look_up(demo: Path) -> Lookup:
    start, _ = binutils.functions(targets.build("demo"))["main"]
    mapping = objects.mapping_of(demo, start)
    return Lookup(str(demo), "", 1, (start + 3 - mapping.start + mapping.offset, 1 << 40))


def test_names_of_offsets_in_their_order(client: LookupClient, demo: Path) -> None:
    first, second = client.find(look_up(demo))
    assert (first.frames[-1].function, second) == ("main", Answer())
    assert first.frames[-1].line


def test_code_without_a_name_has_the_start_of_its_function(
    client: LookupClient, demo: Path, tmp_path: Path
) -> None:
    bare = objects.excerpted(
        stripped.without_symbols(targets.build("demo"), tmp_path / "bare"), tmp_path / "demo"
    )
    lookup = look_up(demo)
    (answer, nothing) = client.find(replace(lookup, path=str(bare)))
    assert answer == Answer((), binutils.functions(targets.build("demo"))["main"][0])
    assert nothing == Answer()


def test_it_is_started_again(client: LookupClient, demo: Path) -> None:
    client.find(look_up(demo))
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    with pytest.raises(FailedLookupError, match="crashes"):
        client.find(look_up(demo))
    assert client.find(look_up(demo))[0].frames


def test_what_takes_too_long_is_ended(tmp_path: Path, demo: Path) -> None:
    impatient = LookupClient(tmp_path / "cache", timeout_s=0.001)
    with pytest.raises(FailedLookupError, match="longer than"):
        impatient.find(look_up(demo))
    assert impatient.pid is None


@pytest.mark.parametrize("data", [None, b"", b"\x7fELF" + bytes(60)], ids=("gone", "empty", "bad"))
def test_a_file_that_cannot_be_used(
    client: LookupClient, demo: Path, tmp_path: Path, data: bytes | None
) -> None:
    path = tmp_path / "object"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(FailedLookupError):
        client.find(Lookup(str(path), "", 1, (0,)))
    pid = client.pid
    assert client.find(look_up(demo))[0].frames
    assert client.pid == pid


def test_names_without_end_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, demo: Path
) -> None:
    from ebprof.errors import BadFileError
    from ebprof.symbolize import lookup

    monkeypatch.setattr(lookup, "MAX_TEXT", 3)
    names = lookup.Names(tmp_path / "cache")
    with pytest.raises(BadFileError, match="too long"):
        names.find(look_up(demo))
    names.close()
