"""What fuzzing starts from: every reader takes its seeds, and damaged ones."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import reader

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
