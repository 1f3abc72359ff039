"""The dictionary of an export: what its indexes lead to, each looked up once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ebprof.collector.receive.refusals import RefusedError
from ebprof.wire.otlp import BUILD_ID_GNU, BUILD_ID_HASH, HASH_PREFIX


class Dictionary:
    """Tables of an export. Raises RefusedError for an index that leads nowhere, and for a stack of
    more than `depth` frames.
    """

    def __init__(self, message: Any, depth: int) -> None:
        self._message = message
        self._depth = depth
        self._strings = list(message.string_table)
        self._stacks: dict[int, list[int]] = {}
        self._locations: dict[int, Any] = {}
        self._frames: dict[int, int] = {}
        self._attributes: dict[int, tuple[str, str, int]] = {}

    def string(self, index: int) -> str:
        """A string; empty for index 0, also where there are no strings."""
        if not index:
            return ""
        return str(_at(self._strings, index, "string"))

    def stack(self, index: int) -> list[int]:
        """Indexes of the locations of a stack, leaf first; none for index 0."""
        found = self._stacks.get(index)
        if found is None:
            table = self._message.stack_table
            found = list(_at(table, index, "stack").location_indices) if index else []
            frames = len(found) if len(found) > self._depth else sum(map(self._inlined, found))
            if frames > self._depth:
                raise RefusedError(f"a stack has more than {self._depth} frames")
            self._stacks[index] = found
        return found

    def location(self, index: int) -> Any:
        """A Location."""
        found = self._locations.get(index)
        if found is None:
            found = self._locations[index] = _at(self._message.location_table, index, "location")
        return found

    def function(self, index: int) -> Any:
        """A Function."""
        return _at(self._message.function_table, index, "function")

    def mapping(self, index: int) -> Any:
        """A Mapping."""
        return _at(self._message.mapping_table, index, "mapping")

    def build_id(self, mapping: Any) -> str:
        """Of a Mapping: that of GNU's note or, where there is none, the hash of its file."""
        found = {key: text for key, text, _ in map(self.attribute, mapping.attribute_indices)}
        hashed = found.get(BUILD_ID_HASH, "")
        return found.get(BUILD_ID_GNU) or (f"{HASH_PREFIX}{hashed}" if hashed else "")

    def attribute(self, index: int) -> tuple[str, str, int]:
        """Key, text and number of an attribute."""
        found = self._attributes.get(index)
        if found is None:
            one = _at(self._message.attribute_table, index, "attribute")
            key = self.string(one.key_strindex)
            found = self._attributes[index] = key, self._text(one.value), one.value.int_value
        return found

    def pairs(self, attributes: Iterable[Any]) -> Iterator[tuple[str, str]]:
        """Keys and texts of KeyValues."""
        for one in attributes:
            yield one.key or self.string(one.key_strindex), self._text(one.value)

    def _text(self, value: Any) -> str:
        """Empty for what is no string and no number."""
        text = value.string_value or self.string(value.string_value_strindex)
        return text or (str(value.int_value) if value.int_value else "")

    def _inlined(self, index: int) -> int:
        """How many frames a location has."""
        found = self._frames.get(index)
        if found is None:
            found = self._frames[index] = max(1, len(self.location(index).lines))
        return found


def _at(table: Any, index: int, what: str) -> Any:
    if not 0 <= index < len(table):
        raise RefusedError(f"there is no {what} {index}")
    return table[index]
