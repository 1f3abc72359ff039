"""An object file on its way to a collector: parts of a stream, from any of them on."""

from __future__ import annotations

import hashlib
from typing import Any

from ebprof.agent.objects import Offering
from ebprof.wire.symbols import PART, UploadRequest


class Stream:
    """What is sent of an offering. position: bytes that were read."""

    def __init__(self, offering: Offering) -> None:
        self.offering = offering
        self.position = 0
        self._checksum = hashlib.sha256()

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return self.offering.excerpt.length - self.position

    def checksum(self) -> bytes:
        """SHA-256 of all of it, which is read for that; raises BadFileError."""
        self.seek(self.offering.excerpt.length)
        return self._checksum.digest()

    def seek(self, offset: int) -> None:
        """Go to the beginning of a part; what was passed over is read for the checksum.

        Raises BadFileError.
        """
        if offset < self.position:
            self._checksum, self.position = hashlib.sha256(), 0
        while self.position < offset:
            self._read(min(PART, offset - self.position))

    def next_part(self, sender: str) -> Any:
        """The request that sends the next part; raises BadFileError."""
        request = UploadRequest(sender=sender, offset=self.position)
        request.data = self._read(PART)
        describe(request.offer, self.offering)
        if not self.left:
            request.sha256 = self._checksum.digest()
        return request

    def _read(self, size: int) -> bytes:
        offering = self.offering
        data = offering.excerpt.read(offering.file.fileno(), self.position, size)
        self._checksum.update(data)
        self.position += len(data)
        return data


def describe(offer: Any, offering: Offering) -> None:
    """Fill in the message Offer."""
    offer.id, offer.is_debug = offering.identity, offering.is_debug
    offer.quality, offer.size = int(offering.quality), offering.excerpt.length
