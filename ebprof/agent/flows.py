"""Flows of a window: added up drain by drain, and at its end made into messages."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import FLOW_COUNTS, FLOW_KEY
from ebprof.agent.identities import Owner
from ebprof.agent.owners import words_of
from ebprof.agent.series import OTHER
from ebprof.bpf.traffic import FlowBatch
from ebprof.index import UNKNOWN, KeyIndex, grown
from ebprof.traffic.grouping import service_ports
from ebprof.wire.flows import COUNTS, FLOW, NOBODY, PROCESS, TEXTS, FlowWindow

MAX_ROWS = 65_536
"""Flows of a window; what is beyond is one, `~other`."""
MAX_FLOWS = 20_000
"""Of one push."""
_OTHER = Owner(process=OTHER, service=OTHER)
_COUNTS = len(COUNTS)  # the first fields of FLOW_COUNTS: a test holds their names to each other
_FIELDS = FLOW_COUNTS.itemsize // 8
_WORDS = FLOW_KEY.itemsize // 8
_FAMILIES = {lib.FAMILY_IPV4: 4, lib.FAMILY_IPV6: 6}


class FlowSums:
    """What batches have counted, by flow; every count is in exactly one row, or in `other`."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._index = KeyIndex(_WORDS)
        self._counts = np.zeros((self._index.capacity, _COUNTS), np.int64)
        self.other = np.zeros(_COUNTS, np.int64)

    @property
    def keys(self) -> NDArray[Any]:
        """FLOW_KEY[n]."""
        return self._index.keys.view(FLOW_KEY)[:, 0]

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64[n, COUNTS]."""
        return self._counts[: len(self._index)]

    def add(self, batch: FlowBatch) -> None:
        """Add what a batch has."""
        words = _words(batch.keys, _WORDS)
        counts = _counts(batch.counts)
        self.other += _counts(batch.other)[0]
        rows = self._index.find(words)
        new = np.flatnonzero(rows == UNKNOWN)
        kept, beyond = np.split(new, [self._max_rows - len(self._index)])
        self.other += counts[beyond].sum(axis=0)
        rows[kept] = self._index.add(words[kept])
        if len(self._counts) < self._index.capacity:
            self._counts = grown(self._counts, self._index.capacity)
        is_known = rows != UNKNOWN
        self._counts[rows[is_known]] += counts[is_known]


@dataclass(frozen=True, slots=True)
class Span:
    """A window: of which node, from when to when in nanoseconds since the epoch."""

    node: str
    start_ns: int
    end_ns: int


def windows(
    sums: FlowSums,
    owners_of: Callable[[NDArray[np.uint64]], list[Owner]],
    span: Span,
    losses: dict[str, int],
) -> Iterator[FlowWindow]:
    """Messages of a window, with MAX_FLOWS flows at most each; none where nothing happened.

    owners_of: the owners of processes, by their words. losses: go with the first one.
    """
    happened = np.flatnonzero(sums.counts.any(axis=1))
    parts = [happened[start : start + MAX_FLOWS] for start in range(0, len(happened), MAX_FLOWS)]
    has_other = bool(sums.other.any())
    if (has_other or losses) and not parts:
        parts = [happened]
    for number, part in enumerate(parts):
        other = sums.other if has_other and number == 0 else None
        flows, owners = _rows(sums.keys[part], sums.counts[part], other, owners_of)
        strings, processes = _processes(owners)
        yield FlowWindow(
            id=str(uuid.uuid4()),
            node=span.node,
            start_ns=span.start_ns,
            end_ns=span.end_ns,
            strings=strings,
            processes=processes,
            flows=flows,
            losses=losses if number == 0 else {},
        )


def _rows(
    keys: NDArray[Any],
    counts: NDArray[np.int64],
    other: NDArray[np.int64] | None,
    owners_of: Callable[[NDArray[np.uint64]], list[Owner]],
) -> tuple[NDArray[Any], list[Owner]]:
    """FLOW[n], and the owners that they refer to: the first is nobody."""
    ends = np.concatenate([words_of(keys, "process"), words_of(keys, "peer")])
    words, numbers = np.unique(np.append(np.uint64(0), ends), return_inverse=True)
    owners = [Owner(), *owners_of(words[1:])]  # the first word is 0
    rows = np.zeros(len(keys) + (other is not None), FLOW)
    flows = rows[: len(keys)]
    flows["process"], flows["peer"] = np.split(numbers[1:], 2)
    flows["role"] = keys["role"]
    for family, number in _FAMILIES.items():
        flows["family"][keys["family"] == family] = number
    for name in ("local_address", "peer_address"):
        flows[name] = keys[name]
    flows["port"] = service_ports(keys)
    for column, name in enumerate(COUNTS):
        flows[name] = counts[:, column]
    if other is not None:
        for column, name in enumerate(COUNTS):
            rows[name][-1] = other[column]
        rows["process"][-1] = len(owners)
        owners.append(_OTHER)
    return rows, owners


def _processes(owners: Sequence[Owner]) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Their texts, the first of which is empty, and PROCESS[n]."""
    assert owners[NOBODY] == Owner()
    strings: dict[str, int] = {"": 0}
    rows = np.zeros(len(owners), PROCESS)
    rows["pid"] = [one.pid for one in owners]
    for name in TEXTS:
        texts = (getattr(one, name).encode("utf-8", "replace").decode() for one in owners)
        rows[name] = [strings.setdefault(text, len(strings)) for text in texts]
    return tuple(strings), rows


def _counts(records: NDArray[Any]) -> NDArray[np.int64]:
    """What is pushed of FLOW_COUNTS[n]."""
    return _words(records, _FIELDS)[:, :_COUNTS].view(np.int64)


def _words(records: NDArray[Any], words: int) -> NDArray[np.uint64]:
    return np.ascontiguousarray(records).view(np.uint64).reshape(-1, words)
