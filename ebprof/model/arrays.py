"""Arrays that grow, and what is in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LEAST = 256


class Growing:
    """Numbers, or rows of them, that are only ever added to."""

    def __init__(self, dtype: DTypeLike = np.int32) -> None:
        self._room: NDArray[Any] = np.zeros(_LEAST, dtype)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    @property
    def values(self) -> NDArray[Any]:
        """All numbers so far: a view, in which what is added later is missing."""
        return self._room[: self._used]

    def extend(self, numbers: Sequence[Any]) -> None:
        """Add numbers at the end."""
        end = self._used + len(numbers)
        if end > len(self._room):
            self._room = wider(self._room, max(end, 2 * len(self._room)))
        self._room[self._used : end] = numbers
        self._used = end


def wider(array: NDArray[Any], size: int, fill: int = 0) -> NDArray[Any]:
    """A copy whose last dimension has this size, which is no smaller; what is new is `fill`."""
    made = np.full((*array.shape[:-1], size), fill, array.dtype)
    made[..., : array.shape[-1]] = array
    return made


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Each value once, sorted; np.unique, but without numpy.ma, which takes 20 ms to import."""
    found = np.sort(values, axis=None)
    return found[np.append(True, found[1:] != found[:-1])] if len(found) else found
