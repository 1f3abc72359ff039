"""Labels of a process: the series that its samples belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ebprof.agent.services import KERNEL, Facts, Rule, Service, Services
from ebprof.identity.placement import Placement, parse_placement
from ebprof.model import Label
from ebprof.procfs import process
from ebprof.procfs.text import printable

SERVICE, PROCESS, NODE = "service_name", "process", "node"
SOURCE = "__service_source__"
"""Where the name of a service came from. Names that begin so are no part of a series."""

_LONGEST = 1024
_NUMBERED = re.compile(r"[/:\d].*")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that flows belong to; the texts are those of its labels, empty where there is none.

    source: where the name of the service came from.
    """

    pid: int = 0
    process: str = ""
    service: str = ""
    source: str = ""
    container: str = ""
    pod: str = ""
    cgroup: str = ""
    unit: str = ""


class Identities:
    """Reads labels of processes, whose text is theirs to choose: it is printable and short."""

    def __init__(self, node: str, rules: Iterable[Rule]) -> None:
        self._node = node
        self._services = Services(rules)

    def set_rules(self, rules: Iterable[Rule]) -> None:
        """Name services by other rules from now on."""
        self._services = Services(rules)

    def labels(self, pid: int) -> tuple[Label, ...]:
        """The labels of a process, sorted; raises NoTargetError or NoPermissionError."""
        found = {NODE: self._node, **dict(self._labels(pid))}
        pairs = sorted((name, value[:_LONGEST]) for name, value in found.items() if value)
        return tuple(Label(name, text=value) for name, value in pairs)

    def owner(self, pid: int) -> Owner:
        """The same for flows; raises the same."""
        comm = process.comm(pid)
        if process.is_kernel_thread(pid):
            return Owner(pid, _kernel_thread(comm), KERNEL, KERNEL)
        facts = _facts(pid, comm)
        return _owner(pid, facts, self._services.of(pid, facts))

    def of_ended(self, pid: int, comm: str, placement: Placement) -> Owner:
        """The same for a process of which only the kernel has told."""
        facts = Facts(comm, "", "", placement)
        return _owner(pid, facts, self._services.of_ended(facts))

    def of_thread(self, comm: str) -> dict[str, str]:
        """Labels of a process of which nothing could be read but the name of a thread."""
        return {NODE: self._node, SERVICE: comm, PROCESS: comm, SOURCE: "thread"}

    def _labels(self, pid: int) -> Iterator[tuple[str, str]]:
        comm = process.comm(pid)
        if process.is_kernel_thread(pid):
            yield from _named(Service(KERNEL, KERNEL), _kernel_thread(comm))
            return
        facts = _facts(pid, comm)
        yield from _named(self._services.of(pid, facts), comm)
        yield "container_id", facts.placement.container
        yield "pod_uid", facts.placement.pod
        yield "cgroup", facts.placement.cgroup


def _kernel_thread(comm: str) -> str:
    return _NUMBERED.sub("", comm) or comm


def _facts(pid: int, comm: str) -> Facts:
    placement = parse_placement(process.cgroups(pid))
    exe = printable(process.executable(pid))
    return Facts(comm, exe, process.command_text(pid), placement)


def _owner(pid: int, facts: Facts, service: Service) -> Owner:
    place = facts.placement
    texts = (facts.comm, service.name, service.source)
    places = (place.container, place.pod, place.cgroup, place.unit)
    return Owner(pid, *(text[:_LONGEST] for text in (*texts, *places)))


def _named(service: Service, comm: str) -> Iterator[tuple[str, str]]:
    yield SERVICE, service.name
    yield SOURCE, service.source
    yield PROCESS, comm
