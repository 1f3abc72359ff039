"""Object files as agents send them, and profiles of addresses in them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from ebprof.elf import ElfImage, ObjectFile, open_regular
from ebprof.model import Frame, Location, Mapping, Sample
from ebprof.symbolize import Symbolizer
from ebprof.symbolize.excerpts import excerpt_of
from ebprof.symbolize.ids import object_id
from ebprof.symbolize.quality import quality_of
from ebprof.wire import symbols
from tests import binutils, builders, pushes
from tests.collecting import Answer, Running

SENDER = "sender-of-tests"
_PROTO = {"Content-Type": "application/proto"}


@dataclass(frozen=True)
class Object:
    """What can be sent of a file. stream: all of it."""

    path: Path
    identity: str
    quality: int
    stream: bytes
    is_debug: bool = False

    @classmethod
    def of(cls, path: Path, *, is_debug: bool = False) -> Object:
        with open_regular(str(path)) as file:
            image = ElfImage(file)
            excerpt = excerpt_of(image)
            stream = excerpt.read(file.fileno(), 0, excerpt.length)
            return cls(path, object_id(image), int(quality_of(image)), stream, is_debug)

    def describe(self, message: Any) -> None:
        """Fill in an offer of it."""
        message.id, message.is_debug = self.identity, self.is_debug
        message.quality, message.size = self.quality, len(self.stream)

    def offer(self, sender: str = SENDER) -> Any:
        """A request that asks whether it is wanted."""
        request = symbols.WantRequest(sender=sender)
        self.describe(request.offers.add())
        return request

    def parts(self, sender: str = SENDER, size: int = symbols.PART) -> Iterator[Any]:
        """The requests that send it."""
        for offset in range(0, len(self.stream), size):
            data = self.stream[offset : offset + size]
            request = symbols.UploadRequest(sender=sender, offset=offset, data=data)
            self.describe(request.offer)
            if offset + size >= len(self.stream):
                request.sha256 = hashlib.sha256(self.stream).digest()
            yield request

    @property
    def functions(self) -> dict[str, tuple[int, int]]:
        """Address and size of each function that nm lists, by linker's name."""
        return binutils.functions(self.path)


def want(running: Running, one: Object, sender: str = SENDER) -> tuple[int, int]:
    """The collector's verdict about an object, and from where on it wants it."""
    body = one.offer(sender).SerializeToString()
    answer = running.request("POST", symbols.WANT_PATH, body, _PROTO)
    assert answer.status == 200, answer.body
    (decision,) = symbols.WantResponse.FromString(answer.body).decisions
    return decision.verdict, decision.offset


def send_part(running: Running, request: Any) -> Answer:
    """Send a part of an object."""
    return running.request("POST", symbols.UPLOAD_PATH, request.SerializeToString(), _PROTO)


def send(running: Running, one: Object, **how: Any) -> Answer:
    """Send an object; the answer to its last part, or to the first that is refused."""
    for request in one.parts(**how):
        answer = send_part(running, request)
        if answer.status != 200:
            break
    return answer


def is_kept(answer: Answer) -> bool:
    """Whether an object is on disk now."""
    return answer.status == 200 and symbols.UploadResponse.FromString(answer.body).is_kept


def mapping_of(path: Path, address: int, name: str = "") -> Mapping:
    """The mapping that an agent gives an address."""
    with open_regular(str(path)) as file:
        image = ElfImage(file)
        segment = image.segment_of_address(address)
        assert segment is not None
        limit = segment.address + segment.memory_size
        identity = object_id(image)
        return Mapping(name or str(path), identity, segment.address, limit, segment.offset)


def locations(path: Path, addresses: Sequence[int], name: str = "") -> list[Location]:
    """Addresses as agents push them, without names."""
    return [Location(one, mapping_of(path, one, name), ()) for one in addresses]


def profile_of(places: Sequence[Location], at_ns: int = 0, count: int = 1) -> bytes:
    """A profile with a stack of one frame for each location."""
    samples = [Sample(0, 0, "", (place,), "complete", count) for place in places]
    return pushes.pprof_bytes(
        builders.profile(*samples, period=10_000_000, time_ns=at_ns or time.time_ns())
    )


def frames_by_tool(path: Path, addresses: Sequence[int]) -> dict[int, tuple[Frame, ...]]:
    """What the profiler itself says of addresses in a file."""
    file = ObjectFile.open(open_regular(str(path)), str(path))
    symbolizer = Symbolizer(cache=None)
    try:
        found = symbolizer.object_locations(file, addresses)
        return {address: one.frames for address, one in found.items()}
    finally:
        symbolizer.close()
        file.close()


def excerpted(path: Path, target: Path) -> Path:
    """The file that a collector makes of what is sent of another."""
    from ebprof.symbolize.received import receive

    one = Object.of(path)
    stream = target.with_suffix(".stream")
    stream.write_bytes(one.stream)
    receive(stream, target, one.identity)
    return target


def opened(path: Path) -> FileIO:
    """A file for reading."""
    return FileIO(str(path))
