"""What A calls otherwise than B does: its processes and modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ebprof.errors import UsageError
from ebprof.model import Profile
from ebprof.output import _functions
from ebprof.output._text import printable

COMM_LENGTH = 15
"""Bytes that the kernel keeps of a process's name."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """Names of A, and what B has in their place.

    names: of processes, and of modules. is_named: whether stacks begin with the names of their
    processes; they do not where each side has one name, and another one.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    is_named: bool = True

    def process(self, comm: str) -> str:
        """What B calls a process of A: a longer name is meant by what the kernel keeps of it."""
        for old, new in self.names.items():
            if comm in (old, _kept(old)):
                return _kept(new)
        return comm

    def module(self, name: str) -> str:
        """What B calls a module of A."""
        return self.names.get(name, name)


NOTHING = Renaming()


def parse(texts: Iterable[str]) -> dict[str, str]:
    """Names of A and of B, of texts like `shop-2.0=shop-2.1`; raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        old, _, new = text.partition("=")
        if not old or not new:
            raise UsageError(f"cannot read --map {text!r}", "write it like --map shop-2.0=shop-2.1")
        if found.setdefault(old, new) != new:
            raise UsageError(f"--map gives {old!r} two names", "leave one of them out")
    return found


def renaming(before: Profile, after: Profile, names: Mapping[str, str]) -> Renaming:
    """What of two profiles is the same by these names, and by there being nothing else.

    Where each side is of one process, its module is the other's as well.
    """
    asked = Renaming(names)
    comms = {asked.process(one) for one in before.samples.comms}, set(after.samples.comms)
    if not all(map(_functions.has_comms, (before, after))):
        return Renaming(names, is_named=False)
    if comms[0] == comms[1] or any(len(one) != 1 for one in comms):
        return asked
    old, new = (
        _module_of(comm, profile) for comm, profile in zip(comms, (before, after), strict=True)
    )
    return Renaming({old: new, **names} if old and new else names, is_named=False)


def unknown(before: Profile, after: Profile, names: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each name that is not in the profile that should have it."""
    for letter, profile, wanted in (("A", before, names), ("B", after, names.values())):
        known = {*profile.samples.comms, *modules(profile)}
        for name in dict.fromkeys(wanted):
            if not {name, _kept(name)} & known:
                shown = printable(name)
                yield f"--map: {letter} has no process and no module that is called {shown}"


def modules(profile: Profile) -> set[str]:
    """The names of modules, also of those that only code without a name tells."""
    tables = profile.samples.tables
    used = {*tables.locations["mapping"][profile.samples.locations].tolist()}
    named = {one.name for number, one in enumerate(tables.mapping_values) if number in used}
    texts = (text for text in tables.strings if _functions.is_nameless(text))
    return named | {label_of(text) for text in texts}


def label_of(name: str) -> str:
    """The module in a name like `[module]+0x3f60`."""
    return name[1 : name.rindex("]+0x")]


def _module_of(comms: set[str], profile: Profile) -> str:
    """The module that is called as the only process; empty where none is, or several are."""
    (comm,) = comms
    alike = {one for one in modules(profile) if comm in (one, _kept(one))}
    return comm if comm in alike else next(iter(alike), "") if len(alike) == 1 else ""


def _kept(name: str) -> str:
    return name.encode("utf-8", "surrogateescape")[:COMM_LENGTH].decode("utf-8", "replace")
