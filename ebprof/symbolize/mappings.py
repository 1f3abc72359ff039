"""The mappings that addresses of one object file lie in: one for each of its segments."""

from __future__ import annotations

from ebprof.elf import ElfImage, Segment
from ebprof.model import Mapping


class Mappings:
    """identity: what stands as the build ID."""

    def __init__(self, path: str, image: ElfImage, identity: str) -> None:
        self.identity = identity
        self._path = path
        self._image = image
        self._known: dict[Segment | None, Mapping] = {}

    def of(self, address: int) -> Mapping:
        """The mapping of the segment that an address lies in; of the whole object elsewhere."""
        segment = self._image.segment_of_address(address)
        if segment not in self._known:
            self._known[segment] = self._mapping(segment)
        return self._known[segment]

    def _mapping(self, segment: Segment | None) -> Mapping:
        if segment is None:
            return Mapping(self._path, self.identity)
        limit = segment.address + segment.memory_size
        return Mapping(self._path, self.identity, segment.address, limit, segment.offset)
