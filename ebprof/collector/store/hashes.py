"""Numbers of series, stacks and frames: hashes of what they are, by the secret key of a store.

Nobody without the key can find two things of the same number: who may push cannot give what
others pushed another name.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from ebprof.durable import write_file

_LENGTH = struct.Struct("<I")
_NUMBER = struct.Struct("<Q")
_KEY = 32


@dataclass(frozen=True, slots=True)
class Hasher:
    """Hashes of lists of parts; key: of at most 64 bytes."""

    key: bytes

    def number_of(self, parts: Iterable[str | bytes]) -> int:
        """64 bits that stand for a list of parts."""
        (number,) = _NUMBER.unpack(self.hash_of(parts, _NUMBER.size))
        return int(number)

    def hash_of(self, parts: Iterable[str | bytes], size: int) -> bytes:
        """Of parts, each with its length before it: no two lists of parts are the same bytes."""
        return self.hash_of_framed(b"".join(map(framed, parts)), size)

    def hash_of_framed(self, data: bytes, size: int) -> bytes:
        """The same of parts that are `framed`, one behind the other."""
        return blake2b(data, digest_size=size, key=self.key).digest()


def framed(part: str | bytes) -> bytes:
    """A part with its length before it."""
    one = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
    return _LENGTH.pack(len(one)) + one


def hasher_of(path: Path) -> Hasher:
    """By the key in a file, which is made where there is none."""
    if not path.exists():
        write_file(path, secrets.token_bytes(_KEY))
    return Hasher(path.read_bytes())
