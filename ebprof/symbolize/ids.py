"""What an object file is called in all places: by its build ID or, without one, by a hash.

The hash is that of OpenTelemetry's `process.executable.build_id.htlhash`: of head, tail and length.
"""

from __future__ import annotations

import hashlib
import os
import re

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError

PIECE = 4096
"""Bytes at the head and at the tail that the hash is of."""
_PREFIX = "htl-"
_ID = re.compile(r"[0-9a-f]{4,128}|htl-[0-9a-f]{32}")


def object_id(image: ElfImage) -> str:
    """The build ID, else `htl-` and a hash; raises BadFileError where the file cannot be read."""
    return image.build_id or _PREFIX + _hash(image)


def is_object_id(text: str) -> bool:
    """Whether a text can be what `object_id` gives."""
    return _ID.fullmatch(text) is not None


def is_hash(identity: str) -> bool:
    """Whether an object is called by a hash, having no build ID."""
    return identity.startswith(_PREFIX)


def _hash(image: ElfImage) -> str:
    try:
        head = os.pread(image.fd, PIECE, 0)
        tail = os.pread(image.fd, PIECE, max(0, image.size - PIECE))
    except OSError as error:
        raise BadFileError(f"cannot read ELF file: {error.strerror}") from None
    return hashlib.sha256(head + tail + image.size.to_bytes(8, "big")).hexdigest()[:32]
