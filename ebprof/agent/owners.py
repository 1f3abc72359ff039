"""Who flows belong to: processes that were seen, by what the kernel calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import PROCESS_ID
from ebprof.agent.identities import Identities, Owner
from ebprof.bpf.traffic import FlowBatch
from ebprof.identity.processes import NO_COMM, Processes, while_alive
from ebprof.walls import Walls

MAX_READ = 500
"""Processes a drain that are looked at in /proc: about 0.1 s. Of others there is a name."""
_MAX_PROCESSES = 65_536
_START_BITS = 32


@dataclass(frozen=True, slots=True)
class _Windows:
    """Owners of this window and of the one before, by struct process_id as one word."""

    now: dict[int, Owner]
    before: dict[int, Owner]


class Owners:
    """Reads who processes are at their first sight, and again after a window without them."""

    def __init__(self, identities: Identities, walls: Walls, *, in_host: bool) -> None:
        self._identities = identities
        self._walls = walls
        self._processes = Processes(walls, in_host=in_host)
        self._known = _Windows({}, {})
        self.unread = 0
        """Processes that had ended before anybody could look at them, or that were too many."""

    def see(self, batch: FlowBatch) -> None:
        """Look at the processes of a batch that are new."""
        words = np.unique(
            np.concatenate([words_of(batch.keys, name) for name in ("process", "peer")])
        )
        wanted = words[words != 0]
        rows = self._processes.identify(batch.processes, batch.owners, wanted.view(PROCESS_ID))
        budget = MAX_READ
        for word, row in zip(wanted.tolist(), rows.tolist(), strict=True):
            if word not in self._known.now:
                owner = self._known.before.get(word)
                if owner is None:
                    owner = self._look(word, row, may_read=budget > 0)
                    budget -= 1
                self._known.now[word] = owner
        if len(self._processes) > _MAX_PROCESSES:
            self._processes.keep(np.unique(rows))

    def of(self, words: NDArray[np.uint64]) -> list[Owner]:
        """The owners of processes that were seen in this window."""
        nobody = Owner()
        return [self._known.now.get(word, nobody) for word in words.tolist()]

    def end_window(self) -> None:
        """Forget those that were not there in this window."""
        self._known = _Windows({}, self._known.now)

    def renew(self) -> None:
        """Look at all processes again, as services are named by other rules."""
        self._known = _Windows({}, {})

    def _look(self, word: int, row: int, *, may_read: bool) -> Owner:
        pid, start = int(self._processes.pids[row]), word >> _START_BITS
        if may_read:
            with self._walls.around(f"/proc/{pid}"):
                found: Owner | None = while_alive(pid, start, self._identities.owner)
                if found is not None:
                    return found
        self.unread += 1
        comm, placement = self._processes.comm_of(row), self._processes.placement_of(row)
        return Owner(pid) if comm == NO_COMM else self._identities.of_ended(pid, comm, placement)


def words_of(keys: NDArray[Any], name: str) -> NDArray[np.uint64]:
    """A field of FLOW_KEY[n] that is a PROCESS_ID, as one word each."""
    return np.ascontiguousarray(keys[name]).view(np.uint64).reshape(-1)
