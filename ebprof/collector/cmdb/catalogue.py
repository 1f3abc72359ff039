"""Entries by what they ask for: a subject is compared with few of them, however many there are."""

from __future__ import annotations

import re
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any

from ebprof.collector.cmdb.entries import PATTERNS, Entry
from ebprof.enrichers import Subject

_MAGIC = re.compile(r"[*?\[]")
_MAPPED = bytes(10) + b"\xff\xff"
_MOST_PATTERNS = 65_536


class Cmdb:
    """All entries, in the order in which they were read."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)
        self._by_network: dict[tuple[int, int], dict[int, list[int]]] = defaultdict(dict)
        self._by_text: dict[tuple[str, str | int], list[int]] = defaultdict(list)
        self._others: list[int] = []
        for number, entry in enumerate(self._entries):
            self._place(number, entry)
        order = sorted(range(len(self._entries)), key=lambda one: rank(self._entries[one]))
        self._turns = {number: turn for turn, number in enumerate(order)}

    def __reduce__(self) -> tuple[type[Cmdb], tuple[Any, ...]]:
        return Cmdb, (self._entries,)

    def __len__(self) -> int:
        return len(self._entries)

    def labels(self, subject: Subject) -> dict[str, str]:
        """What the entries that match a subject set; of one label, the most exact entry's value."""
        found = {one for one in self._candidates(subject) if _matches(self._entries[one], subject)}
        labels: dict[str, str] = {}
        for number in sorted(found, key=self._turns.__getitem__):
            for name, value in self._entries[number].sets:
                labels.setdefault(name, value)
        return labels

    def _place(self, number: int, entry: Entry) -> None:
        """Put an entry where subjects that it may match look: by one of its conditions."""
        network = entry.network
        if network is not None:
            key = network.version, network.prefixlen
            first = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
            self._by_network[key].setdefault(first, []).append(number)
            return
        for name, value in _exact(entry):
            self._by_text[name, value].append(number)
            return
        self._others.append(number)

    def _candidates(self, subject: Subject) -> Iterator[int]:
        yield from self._of_address(subject.address)
        for name in PATTERNS:
            yield from self._by_text.get((name, getattr(subject, name)), ())
        yield from self._by_text.get(("port", subject.port), ())
        for name, value in subject.labels:
            yield from self._by_text.get((f"label:{name}", value), ())
        yield from self._others

    def _of_address(self, address: str) -> Iterator[int]:
        if not (address and self._by_network):
            return
        version, bits, value = _number_of(address)
        for (of_version, length), networks in self._by_network.items():
            if of_version == version:
                yield from networks.get(value >> (bits - length), ())


def rank(entry: Entry) -> tuple[object, ...]:
    """What comes first is more exact: by container, unit, the longest prefix, port, labels, node.

    Entries of the same rank count in their order.
    """
    length = -1 if entry.network is None else entry.network.prefixlen
    return (
        not entry.container,
        not entry.unit,
        -length,
        not entry.port,
        -len(entry.labels),
        not entry.node,
    )


def _exact(entry: Entry) -> Iterator[tuple[str, str | int]]:
    """Conditions that one value fulfils."""
    for name in ("container", "unit", "node"):
        text = getattr(entry, name)
        if text and not _MAGIC.search(text):
            yield name, text
    for name, text in entry.labels:
        if not _MAGIC.search(text):
            yield f"label:{name}", text
    if entry.port:
        yield "port", entry.port


def _matches(entry: Entry, subject: Subject) -> bool:
    """Whether all conditions hold but that on the address, by which the entry was found."""
    if entry.port not in (0, subject.port):
        return False
    for name in PATTERNS:
        pattern = getattr(entry, name)
        if pattern and not fits(pattern)(getattr(subject, name)):
            return False
    if not entry.labels:
        return True
    given = dict(subject.labels)
    return all(fits(pattern)(given.get(name, "")) for name, pattern in entry.labels)


@lru_cache(_MOST_PATTERNS)
def fits(pattern: str) -> Callable[[str], bool]:
    """Tells whether a text matches a pattern of a shell; an empty text matches none."""
    if not _MAGIC.search(pattern):
        return pattern.__eq__
    match = re.compile(translate(pattern)).match
    return lambda text: bool(text) and match(text) is not None


def _number_of(address: str) -> tuple[int, int, int]:
    """Version, bits and value of an address; raises OSError for what is none."""
    if ":" not in address:
        return 4, 32, int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big")
    packed = socket.inet_pton(socket.AF_INET6, address)
    if packed.startswith(_MAPPED):
        return 4, 32, int.from_bytes(packed[len(_MAPPED) :], "big")
    return 6, 128, int.from_bytes(packed, "big")
