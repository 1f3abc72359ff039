"""Which flows are counted at all: what the command line's options select."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.errors import NoTargetError
from ebprof.procfs import process
from ebprof.procfs.text import printable
from ebprof.traffic import cgroups
from ebprof.traffic.endpoint import Endpoint, key_family
from ebprof.traffic.identity import Processes

_COMM_BYTES = 15


@dataclass(frozen=True, slots=True)
class FlowFilter:
    """What a flow must have to be counted; nothing at all means every flow.

    pids: any of these processes. comm: the process's name, exactly. cgroup: a path, absolute or
    below a cgroup root; what lies below it belongs to it. port: either end's. destination: the end
    that was connected to (`--to`), source: the end that connected (`--from`); where it is not
    known which is which, either way round will do. family: 4 or 6.
    """

    pids: tuple[int, ...] = ()
    comm: str = ""
    cgroup: str = ""
    port: int | None = None
    source: Endpoint | None = None
    destination: Endpoint | None = None
    family: int | None = None

    def check(self) -> None:
        """Raise NoTargetError for a process or a cgroup that does not exist."""
        for pid in self.pids:
            _check_process(pid)
        if self.cgroup:
            cgroups.find(self.cgroup)

    def notes(self) -> tuple[str, ...]:
        """What the user should know about this choice."""
        if self.source is None or self.source.port is None:
            return ()
        return (
            f"--from: port {self.source.port} selects only flows whose role is unknown, as "
            "a client's own port is not kept",
        )

    def matches(
        self, keys: NDArray[Any], process_rows: NDArray[np.int32], processes: Processes
    ) -> NDArray[np.bool_]:
        """Which of n flows are counted. keys: FLOW_KEY[n]; process_rows: theirs in processes."""
        matched = np.ones(len(keys), np.bool_)
        if self.pids:
            pids = processes.pids[process_rows]
            matched &= np.isin(pids, np.array(self.pids, np.uint32))
        if self.family is not None:
            matched &= keys["family"] == key_family(self.family)
        if self.port is not None:
            matched &= (keys["local_port"] == self.port) | (keys["peer_port"] == self.port)
        if self.source is not None or self.destination is not None:
            matched &= self._match_ends(keys)
        if self.comm:
            matched &= processes.are_named(_as_comm(self.comm))[process_rows]
        if self.cgroup:
            matched &= processes.are_below(cgroups.normalize(self.cgroup))[process_rows]
        return matched

    def _match_ends(self, keys: NDArray[Any]) -> NDArray[np.bool_]:
        source = self.source or Endpoint()
        destination = self.destination or Endpoint()
        family = keys["family"]
        local = family, keys["local_address"], keys["local_port"]
        peer = family, keys["peer_address"], keys["peer_port"]
        as_client = source.matches(*local) & destination.matches(*peer)
        as_server = source.matches(*peer) & destination.matches(*local)
        role = keys["role"]
        as_client &= role != lib.ROLE_SERVER
        as_server &= role != lib.ROLE_CLIENT
        return as_client | as_server


def _as_comm(name: str) -> str:
    """What the kernel keeps of a command's name, as we show it."""
    return printable(name.encode("utf-8", "surrogateescape")[:_COMM_BYTES])


def _check_process(pid: int) -> None:
    if not process.exists(pid):
        raise NoTargetError(
            f"cannot watch PID {pid}: no such process", "`ps -e` lists those that run"
        )
    leader = process.leader(pid)
    if leader != pid:
        raise NoTargetError(f"{pid} is a thread of PID {leader}", f"use -p {leader}")
