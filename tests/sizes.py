"""How much memory objects take."""

from __future__ import annotations

import gc
import sys
from types import FunctionType, ModuleType


def size_of(root: object) -> int:
    """Bytes of all that an object leads to, but for code."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type | ModuleType | FunctionType):
            seen[id(one)] = one
            waiting += gc.get_referents(one)
    return sum(map(sys.getsizeof, seen.values()))
