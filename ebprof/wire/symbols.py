"""Object files for a collector: what it wants, and parts of them."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ebprof.wire._schema import message_class

WANT_PATH = "/ebprof.v1.SymbolService/Want"
UPLOAD_PATH = "/ebprof.v1.SymbolService/Upload"
MAX_OFFERS = 1_000
"""In one request."""
PART = 1 << 20
"""Bytes of a part of a stream, at most."""


class Verdict(IntEnum):
    """Of a collector about an offer."""

    WANTED = 1
    KNOWN = 2
    LATER = 3
    NEVER = 4


def _message(name: str) -> Any:
    return message_class("symbols.proto", f"ebprof.v1.{name}")


WantRequest, WantResponse = _message("WantRequest"), _message("WantResponse")
UploadRequest, UploadResponse = _message("UploadRequest"), _message("UploadResponse")
