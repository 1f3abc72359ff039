"""Puts unwind rows from one source into the gaps that those from another leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import UNWIND_RULE
from ebprof.unwind.compile import UnwindRows


def merge(rows: UnwindRows | None, more: UnwindRows) -> UnwindRows | None:
    """Rows and, in gaps of them, more; each of `more` must lie in a gap whole, or be a gap.

    They stay as they were when together they would be more than rows can be: 4 GiB of addresses,
    lib.MAX_RULES rules.
    """
    if not len(more.offsets):
        return rows
    if rows is None or not len(rows.offsets):
        return more
    base = min(rows.base, more.base)
    last = max(rows.base + int(rows.offsets[-1]), more.base + int(more.offsets[-1]))
    if last - base >= 2**32:
        return rows
    dictionary, ids = _one_dictionary(rows.dictionary, more.dictionary)
    if len(dictionary) > lib.MAX_RULES:
        return rows
    old = rows.offsets + np.uint32(rows.base - base)
    new = more.offsets + np.uint32(more.base - base)
    offsets, rules = _insert(old, rows.rules, new, ids[more.rules])
    return UnwindRows(base, offsets, rules, dictionary, rows.counters)


def fill(rows: UnwindRows | None, more: UnwindRows) -> UnwindRows | None:
    """Rows and, in gaps of them, those parts of `more` that lie there; bounded like `merge`."""
    if rows is None or not len(rows.offsets):
        return more
    return merge(rows, _within(more, *uncovered(rows))) if len(more.offsets) else rows


def uncovered(rows: UnwindRows | None) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Where rows say nothing: before the first, behind the last, and wherever they say so.

    Addresses [starts, ends): uint64[n] each, ascending.
    """
    lowest, highest = np.zeros(1, np.uint64), np.full(1, 2**64 - 1, np.uint64)
    if rows is None or not len(rows.offsets):
        return lowest, highest
    places = _places(rows)
    at = np.flatnonzero(rows.rules == lib.RULE_NONE)
    starts = np.concatenate([lowest, places[at]])
    ends = np.concatenate([places[:1], places[at[:-1] + 1], highest])
    return starts, ends


def _within(rows: UnwindRows, starts: NDArray[np.uint64], ends: NDArray[np.uint64]) -> UnwindRows:
    """What rows say of the addresses [starts, ends)."""
    places = _places(rows)
    edges = np.concatenate([starts, ends])
    inside = edges[(edges > places[0]) & (edges < places[-1])]
    at = np.unique(np.concatenate([places, inside]))
    rules = rows.rules[np.searchsorted(places, at, "right") - 1]
    gap = np.searchsorted(starts, at, "right") - 1
    rules = np.where(at < ends[gap], rules, np.uint16(lib.RULE_NONE))
    differs = np.append(rules[:1] != lib.RULE_NONE, rules[1:] != rules[:-1])
    offsets = (at - np.uint64(rows.base)).astype(np.uint32)
    return replace(rows, offsets=offsets[differs], rules=rules[differs])


def _places(rows: UnwindRows) -> NDArray[np.uint64]:
    return np.uint64(rows.base) + rows.offsets.astype(np.uint64)


def _insert(
    old: NDArray[np.uint32],
    old_rules: NDArray[np.uint16],
    new: NDArray[np.uint32],
    new_rules: NDArray[np.uint16],
) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Rows in which where nothing was becomes something; what ends where another begins is left
    out."""
    at = np.searchsorted(old, new)
    is_there = np.append(old, np.uint32(0))[at] == new
    is_there &= at < len(old)
    begins = is_there & (new_rules != lib.RULE_NONE)
    rules = old_rules.copy()
    rules[at[begins]] = new_rules[begins]
    fresh = ~is_there
    offsets = np.insert(old, at[fresh], new[fresh])
    rules = np.insert(rules, at[fresh], new_rules[fresh])
    differs = np.append(True, rules[1:] != rules[:-1])
    return offsets[differs], rules[differs]


def _one_dictionary(
    first: NDArray[Any], second: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.uint16]]:
    """The rules of both, and where those of the second are."""
    numbers = {rule.tobytes(): number for number, rule in enumerate(first)}
    ids = [numbers.setdefault(rule.tobytes(), len(numbers)) for rule in second]
    rules = np.frombuffer(b"".join(numbers), UNWIND_RULE)
    return rules, np.array(ids, np.int64).astype(np.uint16)
