"""Which flows are counted at all: what the command line's options select."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.errors import NoTargetError
from ebprof.identity import cgroups
from ebprof.identity.groups import find_cgroup
from ebprof.identity.processes import Processes
from ebprof.procfs import process
from ebprof.procfs.text import printable
from ebprof.traffic.endpoint import Endpoint, key_family
from ebprof.traffic.translations import Translations

_COMM_BYTES = 15
ROLES = {"server": int(lib.ROLE_SERVER), "client": int(lib.ROLE_CLIENT)}
"""What an end can be, as flow keys have it."""


@dataclass(frozen=True, slots=True)
class FlowFilter:
    """What a flow must have to be counted; nothing at all means every flow.

    pids: any of these processes. comm: the process's name, exactly. cgroup: a path, absolute or
    below a cgroup root, or what else find_cgroup knows; what lies below it belongs to it.
    container: its whole ID, or its name. port: either end's. destination: the end that was
    connected to (`--to`), source: the end that connected (`--from`); where it is not known which is
    which, either way round will do. family: 4 or 6. role: of ROLES, of this end. A connection whose
    addresses are translated on their way has those of both its ends.
    """

    pids: tuple[int, ...] = ()
    comm: str = ""
    cgroup: str = ""
    container: str = ""
    port: int | None = None
    source: Endpoint | None = None
    destination: Endpoint | None = None
    family: int | None = None
    role: str = ""

    @property
    def names_ends(self) -> bool:
        """Whether addresses or ports are asked for, so that it matters how they are translated."""
        return (self.port, self.source, self.destination) != (None, None, None)

    def checked(self) -> FlowFilter:
        """The same with the cgroup's path; NoTargetError where a process or cgroup is missing."""
        for pid in self.pids:
            _check_process(pid)
        return replace(self, cgroup=find_cgroup(self.cgroup)) if self.cgroup else self

    def notes(self) -> tuple[str, ...]:
        """What the user should know about this choice."""
        if self.source is None or self.source.port is None:
            return ()
        return (
            f"--from: port {self.source.port} selects only flows whose role is unknown, as "
            "a client's own port is not kept",
        )

    def matches(
        self,
        keys: NDArray[Any],
        process_rows: NDArray[np.int32],
        processes: Processes,
        translations: Translations | None = None,
    ) -> NDArray[np.bool_]:
        """Which of n flows are counted. keys: FLOW_KEY[n]; process_rows: theirs in processes."""
        matched = np.ones(len(keys), np.bool_)
        if self.pids:
            pids = processes.pids[process_rows]
            matched &= np.isin(pids, np.array(self.pids, np.uint32))
        if self.family is not None:
            matched &= keys["family"] == key_family(self.family)
        if self.role:
            matched &= keys["role"] == ROLES[self.role]
        if self.names_ends:
            matched &= self._match_ends(keys, translations)
        if self.comm:
            matched &= processes.are_named(_as_comm(self.comm))[process_rows]
        if self.cgroup:
            matched &= processes.are_below(cgroups.normalize(self.cgroup))[process_rows]
        if self.container:
            matched &= processes.are_in_container(self.container)[process_rows]
        return matched

    def _match_ends(
        self, keys: NDArray[Any], translations: Translations | None
    ) -> NDArray[np.bool_]:
        matched = self._match_own(keys)
        if translations and not matched.all():
            others = ~matched
            wanted = self._match_pairs(translations.clients, translations.servers)
            matched[others] = translations.have(keys[others], wanted)
        return matched

    def _match_own(self, keys: NDArray[Any]) -> NDArray[np.bool_]:
        """By the addresses that a flow's own socket has."""
        source, destination = self._ends()
        local, peer = _end(keys, "local"), _end(keys, "peer")
        as_client = source.matches(*local) & destination.matches(*peer)
        as_server = source.matches(*peer) & destination.matches(*local)
        role = keys["role"]
        as_client &= role != lib.ROLE_SERVER
        as_server &= role != lib.ROLE_CLIENT
        as_client |= as_server
        return as_client & self._has_port(keys)

    def _match_pairs(self, clients: NDArray[Any], servers: NDArray[Any]) -> NDArray[np.bool_]:
        """By what either end's socket has: the client's may know only the server's other address,
        and the server's only the client's.
        """
        source, destination = self._ends()
        from_there = source.matches(*_end(clients, "local")) | source.matches(
            *_end(servers, "peer")
        )
        to_there = destination.matches(*_end(clients, "peer"))
        to_there |= destination.matches(*_end(servers, "local"))
        return from_there & to_there & (self._has_port(clients) | self._has_port(servers))

    def _ends(self) -> tuple[Endpoint, Endpoint]:
        return self.source or Endpoint(), self.destination or Endpoint()

    def _has_port(self, keys: NDArray[Any]) -> NDArray[np.bool_]:
        if self.port is None:
            return np.ones(len(keys), np.bool_)
        found: NDArray[np.bool_] = keys["local_port"] == self.port
        found |= keys["peer_port"] == self.port
        return found


def _end(keys: NDArray[Any], which: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    return keys["family"], keys[f"{which}_address"], keys[f"{which}_port"]


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
