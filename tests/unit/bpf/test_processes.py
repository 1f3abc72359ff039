"""What is told of a process while BPF programs mark entries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import MARK_COUNTS, PROCESS_ENTRY
from ebprof.bpf.processes import ProcessEntries, Told

PID, NEIGHBOUR = 4321, 4322
OFFSET = 16


class FakeObject:
    """The map and the variable; `marked` is the process that a program marks at each update."""

    def __init__(self) -> None:
        self.entries: dict[int, NDArray[Any]] = {}
        self.bss = np.zeros(OFFSET + MARK_COUNTS.itemsize, np.uint8)
        self.marked = 0

    def map(self, name: str) -> FakeObject:
        return self

    def variables(self, section: str) -> NDArray[np.uint8]:
        return self.bss

    def variable_offset(self, section: str, name: str) -> int:
        return {"marks": OFFSET}[name]

    def find(self, pid: int, dtype: np.dtype[Any]) -> NDArray[Any] | None:
        return self.entries.get(pid)

    def read(self, keys: np.dtype[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.fromiter(self.entries, keys), np.concatenate([*self.entries.values()])

    def update(self, pid: int, entry: NDArray[Any]) -> None:
        self.entries[pid] = entry
        if self.marked:
            marks = self.bss[OFFSET:].view(MARK_COUNTS)[0]
            for name in ("begun", "done"):
                marks[name][self.marked % lib.MARK_SLOTS] += 1


def tell(made: FakeObject) -> Told:
    entry = np.zeros(1, PROCESS_ENTRY)
    entries = ProcessEntries(made, are_watched=True)  # type: ignore[arg-type]
    entries.tell(PID, entry, 0)
    return entries.tell(PID, entry, 0)


def test_an_entry_is_true_where_nothing_was_mapped_since() -> None:
    made = FakeObject()
    assert tell(made) is Told.TRUE
    assert made.entries[PID]["outdated"] == 0


def test_one_that_may_have_been_marked_meanwhile_is_out_of_date() -> None:
    made = FakeObject()
    made.marked = PID
    assert tell(made) is Told.OUTDATED
    assert made.entries[PID]["outdated"] > 0


def test_marks_of_other_processes_are_theirs() -> None:
    made = FakeObject()
    made.marked = NEIGHBOUR
    assert tell(made) is Told.TRUE
    assert made.entries[PID]["outdated"] == 0


def test_processes_in_which_nothing_was_seen_to_change() -> None:
    made = FakeObject()
    for pid, mapped, outdated in ((1, 0, 0), (2, 50, 0), (3, 51, 0), (4, 0, 40)):
        made.entries[pid] = np.zeros(1, PROCESS_ENTRY)
        made.entries[pid]["mapped"], made.entries[pid]["outdated"] = mapped, outdated
    watched = ProcessEntries(made, are_watched=True)  # type: ignore[arg-type]
    assert watched.unchanged_since(50) == {1, 2}
    unwatched = ProcessEntries(made, are_watched=False)  # type: ignore[arg-type]
    assert unwatched.unchanged_since(50) == set()
