"""Unpacks compressed sections of object files, never to more bytes than they say they have."""

from __future__ import annotations

import sys
import zlib

from ebprof.errors import BadFileError

ZLIB = "ELFCOMPRESS_ZLIB"

_OLD_MAGIC = b"ZLIB"
_OLD_HEADER = len(_OLD_MAGIC) + 8


def decompress(kind: object, size: int, packed: bytes, limit: int) -> bytes:
    """The `size` bytes that a section is unpacked to; raises BadFileError.

    kind: how it is compressed, as pyelftools gives ch_type: a name, or a number without one.
    """
    unpack = _UNPACK.get(kind)
    if unpack is None:
        raise BadFileError(f"unknown compression {kind}")
    if size > limit:
        raise BadFileError(f"{size} bytes are too large")
    plain = unpack(packed, size)
    if len(plain) != size:
        raise BadFileError(f"it is unpacked to {len(plain)} bytes, not {size}")
    return plain


def old_header(data: bytes) -> tuple[int, bytes]:
    """Size when unpacked, and the zlib stream, of a `.zdebug_` section; raises BadFileError."""
    if not data.startswith(_OLD_MAGIC) or len(data) < _OLD_HEADER:
        raise BadFileError("no header before compressed bytes")
    size = int.from_bytes(data[len(_OLD_MAGIC) : _OLD_HEADER], "big")
    return size, data[_OLD_HEADER:]


def _unpack_zlib(packed: bytes, size: int) -> bytes:
    """At most `size` bytes of a zlib stream (RFC 1950)."""
    try:
        return zlib.decompressobj().decompress(packed, size) if size else b""
    except zlib.error as error:
        raise BadFileError(str(error)) from None


def _unpack_zstd(packed: bytes, size: int) -> bytes:
    """At most `size` bytes of zstd frames (RFC 8878).

    Linkers that compress in parallel write several frames, one behind the other.
    """
    if sys.version_info >= (3, 14):  # imported here, since few need it
        from compression import zstd
    else:
        from backports import zstd
    parts = []
    try:
        while packed and size > 0:
            frame = zstd.ZstdDecompressor()
            parts.append(frame.decompress(packed, size))
            size -= len(parts[-1])
            packed = frame.unused_data
    except (zstd.ZstdError, MemoryError) as error:
        raise BadFileError(str(error) or "no memory to unpack it") from None
    return b"".join(parts)


_UNPACK = {
    ZLIB: _unpack_zlib,
    "ELFCOMPRESS_ZSTD": _unpack_zstd,
    2: _unpack_zstd,  # to a pyelftools that has no name for it
}
