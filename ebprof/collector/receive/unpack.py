"""Unpacks what was sent, to no more bytes than allowed."""

from __future__ import annotations

import zlib

from ebprof.collector.receive.refusals import MediaError, RefusedError, TooLargeError

GZIP_MAGIC = b"\x1f\x8b"
ENCODINGS = ("gzip", "identity")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def unpack(data: bytes, encoding: str, limit: int) -> bytes:
    """The body of a request, by its Content-Encoding; raises RefusedError."""
    if encoding == "gzip":
        return gunzip(data, limit, "push")
    if encoding not in ("", "identity"):
        raise MediaError(
            f"cannot unpack Content-Encoding {encoding[:32]!r}", f"send {' or '.join(ENCODINGS)}"
        )
    return data


def gunzip(data: bytes, limit: int, what: str) -> bytes:
    """The bytes of a gzip file of one or more members (RFC 1952); raises RefusedError."""
    parts: list[bytes] = []
    size = 0
    while data:
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            parts.append(member.decompress(data, limit + 1 - size))
        except zlib.error as error:
            raise RefusedError(f"cannot unpack gzip data of a {what}: {error}") from None
        size += len(parts[-1])
        if size > limit:
            raise TooLargeError(f"{what} has more than {limit >> 20} MiB when it is unpacked")
        if not member.eof:
            raise RefusedError(f"gzip data of a {what} ends early")
        data = member.unused_data
    return b"".join(parts)
