"""Numbers for distinct keys, found for many keys at once."""

from __future__ import annotations

import os
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
_MIN_CAPACITY = 1024

Value = TypeVar("Value")


class KeyIndex:
    """Distinct keys, numbered from 0 in the order they came.

    A hash table with open addressing and linear probing, at most half full. The hash is seeded:
    whoever chooses keys (ports, addresses) cannot choose collisions.
    """

    def __init__(self, words: int) -> None:
        self._keys = np.zeros((_MIN_CAPACITY, words), np.uint64)
        self._count = 0
        self._multipliers = np.frombuffer(os.urandom(8 * words), np.uint64) | np.uint64(1)
        self._rebuild()

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> NDArray[np.uint64]:
        """uint64[count, words], by number."""
        return self._keys[: self._count]

    @property
    def capacity(self) -> int:
        """For how many keys there is memory."""
        return len(self._keys)

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Numbers of keys (uint64[n, words]), UNKNOWN for those that are not in here."""
        numbers = np.full(len(keys), UNKNOWN, np.int32)
        slots = self._slots_of(keys)
        pending = np.arange(len(keys))
        while pending.size:
            held = self._table[slots[pending]]
            taken = held != UNKNOWN
            pending, held = pending[taken], held[taken]
            equal = (self._keys[held] == keys[pending]).all(axis=1)
            numbers[pending[equal]] = held[equal]
            pending = pending[~equal]
            slots[pending] = (slots[pending] + 1) & self._last
        return numbers

    def add(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Number keys that are distinct and not in here yet; returns their numbers."""
        count = self._count + len(keys)
        numbers = np.arange(self._count, count, dtype=np.int32)
        grows = count > self.capacity
        if grows:
            self._keys = grown(self._keys, count)
        self._keys[self._count : count] = keys
        self._count = count
        if grows:
            self._rebuild()
        else:
            self._place(numbers)
        return numbers

    def keep(self, numbers: NDArray[Any]) -> None:
        """Forget all other keys; the kept ones are numbered anew, in the order given."""
        self._keys[: len(numbers)] = self._keys[numbers]
        self._count = len(numbers)
        self._rebuild()

    def _rebuild(self) -> None:
        size = 2 * self.capacity
        self._table = np.full(size, UNKNOWN, np.int32)
        self._last = size - 1
        self._shift = np.uint64(64 - self._last.bit_length())
        self._place(np.arange(self._count, dtype=np.int32))

    def _place(self, numbers: NDArray[np.int32]) -> None:
        """Put numbers into free slots: of several that want the same one, one gets it."""
        slots = self._slots_of(self._keys[numbers])
        while numbers.size:
            free = self._table[slots] == UNKNOWN
            self._table[slots[free]] = numbers[free]
            waiting = self._table[slots] != numbers
            numbers, slots = numbers[waiting], (slots[waiting] + 1) & self._last

    def _slots_of(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        return ((keys @ self._multipliers) >> self._shift).astype(np.int64)


class Pool(Generic[Value]):
    """Distinct values, numbered from 0, which stands for `not known`."""

    def __init__(self, unknown: Value) -> None:
        self.values: list[Value] = []
        self._codes: dict[Value, int] = {}
        self.code(unknown)

    def code(self, value: Value) -> int:
        """The number of a value, a new one if need be."""
        code = self._codes.setdefault(value, len(self.values))
        if code == len(self.values):
            self.values.append(value)
        return code

    def keep(self, codes: NDArray[Any]) -> NDArray[np.int32]:
        """Forget values that are not among codes; returns codes with their new numbers."""
        kept, inverse = np.unique(codes, return_inverse=True)
        unknown, values = self.values[0], [self.values[code] for code in kept]
        self.values, self._codes = [], {}
        self.code(unknown)
        return np.array([self.code(value) for value in values], np.int32)[inverse]


def grown(column: NDArray[Any], count: int, axis: int = 0) -> NDArray[Any]:
    """A copy with room for at least count rows, twice as many as there were; new ones are 0."""
    shape = list(column.shape)
    while shape[axis] < count:
        shape[axis] *= 2
    bigger = np.zeros(shape, column.dtype)
    bigger[tuple(map(slice, column.shape))] = column
    return bigger
