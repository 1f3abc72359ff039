"""Reading files that others wrote, with an end to what they can cost."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO, cast

from ebprof.errors import BadFileError

# A profile of 10,000 stacks of 40 frames has 1 MB; memory needed is up to 30 times this.
MAX_BYTES = 64 << 20
MAX_INT64 = (1 << 63) - 1

_GZIP_MAGIC = b"\x1f\x8b"


def read_whole(file: BinaryIO) -> bytes:
    """The whole content, unpacked if it is gzip (RFC 1952).

    Raises BadFileError when it is corrupt, ends early, or is over MAX_BYTES (unpacked).
    """
    data = _read_limited(file)
    if not data.startswith(_GZIP_MAGIC):
        return data
    return _unpack(data)


def _unpack(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
            return _read_limited(cast(BinaryIO, unpacked))
    except (OSError, EOFError, zlib.error) as error:
        raise BadFileError(f"cannot unpack gzip data: {error}") from None


def _read_limited(file: BinaryIO) -> bytes:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadFileError(f"profile is larger than {MAX_BYTES >> 20} MiB")
    return data
