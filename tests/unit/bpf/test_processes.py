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

    def update(self, pid: int, entry: NDArray[Any]) -> None:
        self.entries[pid] = entry
        if self.marked:
            marks = self.bss[OFFSET:].view(MARK_COUNTS)[0]
            for name in ("begun", "done"):
                marks[name][self.marked % lib.MARK_SLOTS] += 1


def tell(made: FakeObject) -> Told:
    entry = np.zeros(1, PROCESS_ENTRY)
    entries = ProcessEntries(made)  # type: ignore[arg-type]
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
