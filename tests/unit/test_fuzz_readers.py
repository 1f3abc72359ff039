"""What fuzzing starts from: every reader takes its seeds, and damaged ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz import corpus, reader
from tests.fuzz.__main__ import _sampled

DAMAGED = 40


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A copy with some bytes changed, some left out, or some twice."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(result) + 1)
        length = chance.randint(0, 8)
        result[place : place + length] = chance.choice(
            [chance.randbytes(length), b"", result[place : place + 2 * length] * 2]
        )
    return bytes(result)


@pytest.mark.parametrize("name", reader.names())
def test_seeds_are_read(name: str) -> None:
    seeds = list(reader.load(name).seeds())
    assert seeds
    for seed in seeds:
        reader.load(name).read(seed)


@pytest.mark.parametrize("name", reader.names())
def test_damaged_seeds_are_read(name: str) -> None:
    chance = random.Random(name)
    seeds = list(reader.load(name).seeds())
    for _ in range(DAMAGED):
        reader.load(name).read(damaged(chance.choice(seeds), chance))


@pytest.mark.parametrize("name", reader.names())
def test_what_is_kept_is_read(name: str) -> None:
    for data in corpus.kept(name):
        reader.load(name).read(data)


def test_what_is_kept_is_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = list(corpus.KEPT.iterdir())
    assert files and sum(path.stat().st_size for path in files) < 1 << 20
    monkeypatch.setattr(corpus, "KEPT", tmp_path)
    (tmp_path / "x.txt").write_text(corpus.FOUND + "AAAA\n")
    corpus.keep("x", [b"two", b"one", bytes(5000), *(bytes([n]) * 1000 for n in range(99))])
    found, *others = corpus.kept("x")
    assert found == bytes(3)
    assert {b"one", b"two"} < set(others)
    assert len((tmp_path / "x.txt").read_bytes()) < corpus.MOST_BYTES + 100


def test_a_sample_is_of_those_that_there_are() -> None:
    names = ["a", "b", "c"]
    assert _sampled(names, None) == _sampled(names, 9) == names
    assert len(_sampled(names, 2)) == 2 and set(_sampled(names, 2)) < {*names}
