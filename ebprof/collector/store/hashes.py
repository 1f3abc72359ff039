"""Numbers of series, stacks and frames: hashes of what they are, the same in all processes."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import blake2b

_LENGTH = struct.Struct("<I")
_NUMBER = struct.Struct("<Q")


def number_of(parts: Iterable[str | bytes]) -> int:
    """64 bits that stand for a list of parts."""
    (number,) = _NUMBER.unpack(hash_of(parts, _NUMBER.size))
    return int(number)


def hash_of(parts: Iterable[str | bytes], size: int) -> bytes:
    """Of parts, each with its length before it, so that no two lists of parts are the same."""
    data = bytearray()
    for part in parts:
        one = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        data += _LENGTH.pack(len(one)) + one
    return blake2b(data, digest_size=size).digest()
