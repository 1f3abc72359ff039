"""Memory that BPF programs read: shards of words, handed out and taken back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.errors import EbprofError

Words = NDArray[np.uint32]


class ShardSource(Protocol):
    """Makes shards, and knows when BPF programs have left what they read."""

    def new_shard(self) -> Words:
        """Another shard, uint32[SHARD_WORDS], all zero; raises EbprofError."""

    def wait(self) -> None:
        """Return when every BPF program that ran at the call has ended."""


@dataclass(frozen=True, slots=True)
class Place:
    """Words [at, at + size) of a shard."""

    shard: int
    at: int
    size: int


class Shards:
    """All shards, by number; heaps share them.

    failure: why the last one could not be made, empty when it could.
    """

    def __init__(self, source: ShardSource) -> None:
        self._source = source
        self._shards: list[Words] = []
        self.failure = ""

    def add(self) -> int | None:
        """The number of a new shard; None when there can be none."""
        if len(self._shards) == lib.MAX_SHARDS:
            return None
        try:
            self._shards.append(self._source.new_shard())
        except EbprofError as error:
            self.failure = error.message
            return None
        return len(self._shards) - 1

    def wait(self) -> None:
        """Return when every BPF program that ran at the call has ended."""
        self._source.wait()

    @property
    def count(self) -> int:
        """Shards made so far."""
        return len(self._shards)

    def shard(self, number: int) -> Words:
        """All words of a shard."""
        return self._shards[number]

    def words(self, place: Place) -> Words:
        """The words of a place, writable."""
        return self._shards[place.shard][place.at : place.at + place.size]


class Heap:
    """Hands out words in shards of its own, first fit.

    limit: so many shards at most.
    """

    def __init__(self, shards: Shards, limit: int) -> None:
        self._shards = shards
        self._limit = limit
        self._holes: dict[int, list[tuple[int, int]]] = {}  # by shard: (at, size) by at

    def allocate(self, size: int, *, avoid: int | None = None) -> Place | None:
        """Room for `size` words, at an even word; None when there is none.

        avoid: a shard to leave alone, and no new one is made; for what moves out of it.
        """
        size += size & 1
        if size > lib.SHARD_WORDS:
            return None
        for shard, holes in self._holes.items():
            at = _take(holes, size) if shard != avoid else None
            if at is not None:
                return Place(shard, at, size)
        if avoid is not None or not self._grow():
            return None
        return self.allocate(size)

    def fits(self, sizes: Iterable[int]) -> bool:
        """Whether all of these could be allocated now, one after the other."""
        shards = [list(holes) for holes in self._holes.values()]
        unmade = self._limit - len(shards)
        for size in (one + (one & 1) for one in sizes):
            if any(_take(holes, size) is not None for holes in shards):
                continue
            if not unmade or size > lib.SHARD_WORDS:
                return False
            unmade -= 1
            shards.append([(size, lib.SHARD_WORDS - size)])
        return True

    def free(self, place: Place) -> None:
        """Give room back; BPF programs must no longer be able to reach it."""
        holes = self._holes[place.shard]
        at, end = place.at, place.at + place.size
        after = bisect_left(holes, (at, 0))
        if after < len(holes) and holes[after][0] == end:
            end += holes.pop(after)[1]
        if after and sum(holes[after - 1]) == at:
            after -= 1
            at = holes.pop(after)[0]
        holes.insert(after, (at, end - at))

    @property
    def free_words(self) -> int:
        """Words that can be had, whether or not in one piece."""
        unmade = (self._limit - len(self._holes)) * int(lib.SHARD_WORDS)
        return unmade + sum(self.free_in(shard) for shard in self._holes)

    @property
    def limit_words(self) -> int:
        """Words there can be, free or not."""
        return self._limit * int(lib.SHARD_WORDS)

    def by_use(self) -> list[int]:
        """Its shards, the emptiest first."""
        return sorted(self._holes, key=self.free_in, reverse=True)

    def free_in(self, shard: int) -> int:
        """Free words of one shard."""
        return sum(size for _, size in self._holes[shard])

    def _grow(self) -> bool:
        number = self._shards.add() if len(self._holes) < self._limit else None
        if number is None:
            return False
        self._holes[number] = [(0, int(lib.SHARD_WORDS))]
        return True


def _take(holes: list[tuple[int, int]], size: int) -> int | None:
    for i, (at, room) in enumerate(holes):
        if room >= size:
            if room == size:
                del holes[i]
            else:
                holes[i] = (at + size, room - size)
            return at
    return None
