"""Names what can be named on this machine alone, where others have the object files.

Kernel, vDSO, code of JITs and what a plug-in knows have names. An address in a file stays one: its
location has no frames, and its mapping says which file that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from ebprof.elf import ObjectFile, ObjectKey
from ebprof.errors import BadFileError
from ebprof.model import Location, Mapping
from ebprof.symbolize.ids import object_id
from ebprof.symbolize.mappings import Mappings
from ebprof.symbolize.symbolizer import Symbolizer
from ebprof.walls import Walls

Met = Callable[[str, ObjectFile], None]


class NodeSymbolizer(Symbolizer):
    """met: is called whenever there are new addresses in an object file, with its `object_id` and
    the file; from any thread, and it must not wait.
    """

    def __init__(self, met: Met, walls: Walls | None = None) -> None:
        super().__init__(cache=None, walls=walls)
        self._met = met
        self._places: dict[ObjectKey, Mappings] = {}

    def forget_object(self, key: ObjectKey) -> None:
        """Drop what is known of an object file; locations that were found are kept."""
        with self._lock:
            super().forget_object(key)
            self._places.pop(key, None)

    def _named(self, file: ObjectFile, addresses: Iterable[int]) -> dict[int, Location]:
        if not file.key.inode:  # the vDSO, which is in no file
            return super()._named(file, addresses)
        wanted = set(addresses)
        with self._walls.around(file.path), suppress(BadFileError):
            return self._left(file, wanted)
        place = Mapping(file.path)
        return {address: self.unknown_location(address, place) for address in wanted}

    def _left(self, file: ObjectFile, addresses: set[int]) -> dict[int, Location]:
        places = self._mappings(file)
        calls = {one: self._runtimes.find_in_object(file, one) for one in addresses}
        known = {one: found for one, found in calls.items() if found}
        left = addresses - known.keys()
        if left:
            self._met(places.identity, file)
        return self._locate(known, known.__getitem__, places.of) | {
            address: Location(address, places.of(address), ()) for address in left
        }

    def _mappings(self, file: ObjectFile) -> Mappings:
        if file.key not in self._places:
            self._places[file.key] = Mappings(file.path, file.image, object_id(file.image))
        return self._places[file.key]
