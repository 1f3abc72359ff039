"""Names of services: by rule, by a process's environment, its unit, its executable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote

from ebprof.identity.placement import Placement
from ebprof.procfs import process
from ebprof.procfs.text import printable

KERNEL = "kernel"
LONGEST = 256
"""Characters of a name."""
_SERVICE = ".service"
_NAME = b"OTEL_SERVICE_NAME"
_ATTRIBUTES = b"OTEL_RESOURCE_ATTRIBUTES"
_ATTRIBUTE = "service.name"


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules are about. exe: path of the executable; command: the command line, with blanks
    between arguments. All of it is printable.
    """

    comm: str
    exe: str
    command: str
    placement: Placement


@dataclass(frozen=True, slots=True)
class Rule:
    """Gives a name to processes. exe, comm, cgroup, command: patterns as a shell has them, all of
    which have to match; None matches everything.
    """

    name: str
    exe: str | None = None
    comm: str | None = None
    cgroup: str | None = None
    command: str | None = None

    def matches(self, facts: Facts) -> bool:
        """Whether a process gets the rule's name."""
        pairs = (
            (self.exe, (facts.exe,)),
            (self.comm, (facts.comm,)),
            (self.cgroup, facts.placement.paths),
            (self.command, (facts.command,)),
        )
        return all(_is_any(pattern, texts) for pattern, texts in pairs)


@dataclass(frozen=True, slots=True)
class Service:
    """A name, and where it came from: `rule`, `environment`, `unit`, `executable`, `kernel`,
    `thread`.
    """

    name: str
    source: str


class Services:
    """Names services of processes by rules, the first of which that matches counts."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)

    def of(self, pid: int, facts: Facts) -> Service:
        """The service of a process; raises NoTargetError or NoPermissionError."""
        return _first(self._candidates(pid, facts), Service(facts.comm or "unknown", "executable"))

    def of_ended(self, facts: Facts) -> Service:
        """The service of a process that cannot be looked at any more."""
        return _first(self._candidates(None, facts), Service(facts.comm or "unknown", "thread"))

    def _candidates(self, pid: int | None, facts: Facts) -> Iterator[tuple[str, str]]:
        for rule in self._rules:
            if rule.matches(facts):
                yield rule.name, "rule"
        if pid is not None:
            yield from ((name, "environment") for name in _of_environment(pid))
        unit = facts.placement.unit
        if unit.endswith(_SERVICE) and not facts.placement.container:
            yield unit.removesuffix(_SERVICE), "unit"
        yield facts.exe.rsplit("/", 1)[-1], "executable"


def _first(candidates: Iterable[tuple[str, str]], otherwise: Service) -> Service:
    for name, source in candidates:
        name = name.strip()[:LONGEST]
        if name:
            return Service(name, source)
    return otherwise


def _of_environment(pid: int) -> Iterator[str]:
    """What OpenTelemetry's variables say (opentelemetry.io/docs/specs/otel/resource/sdk)."""
    found = process.variables(pid, (_NAME, _ATTRIBUTES))
    yield printable(found.get(_NAME, b""))
    for pair in printable(found.get(_ATTRIBUTES, b"")).split(","):
        key, _, value = pair.partition("=")
        if key.strip() == _ATTRIBUTE:
            yield printable(unquote(value))


def _is_any(pattern: str | None, texts: Iterable[str]) -> bool:
    return pattern is None or any(fnmatchcase(text, pattern) for text in texts)
