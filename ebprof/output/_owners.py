"""Whose samples are: of which process, thread, container, cgroup or command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebprof.model import (
    PROCESS,
    Label,
    Samples,
    cgroup_text,
    command_text,
    container_text,
    text_of,
)
from ebprof.output._text import UNKNOWN_COMM


class Owner(NamedTuple):
    """Whom samples are of. pid, tid: None for what is not one process, not one thread."""

    name: str
    pid: int | None = None
    tid: int | None = None


class _Thread(NamedTuple):
    """What samples say of the thread that they are of. process: the name of its process."""

    pid: int
    tid: int
    comm: str
    process: str
    labels: tuple[Label, ...]

    def owner(self, by: str) -> Owner:
        return _READERS[by](self)


@dataclass(frozen=True, slots=True)
class Owned:
    """Samples by their owners. of_sample: int64[samples], numbers of `owners`."""

    of_sample: NDArray[np.int64]
    owners: list[Owner]


def owned(samples: Samples, by: str) -> Owned:
    """The owner of each sample; by: of OWNERS."""
    groups = samples.by("pid", "tid", "comm", "labels")
    numbers: dict[Owner, int] = {}
    of_group = [
        numbers.setdefault(one.owner(by), len(numbers)) for one in _threads(samples, groups.first)
    ]
    return Owned(np.array(of_group, np.int64)[groups.of_row], list(numbers))


def name_of(owner: Owner) -> str:
    """An owner as one text: `nginx (12)`, for a thread `nginx (12/14)`."""
    if owner.pid is None:
        return owner.name
    of_thread = "" if owner.tid is None else f"/{owner.tid}"
    return f"{owner.name} ({owner.pid}{of_thread})"


def _threads(samples: Samples, rows: NDArray[np.int64]) -> Iterable[_Thread]:
    tables, found = samples.tables, samples.rows[rows]
    texts = [tables.strings[one] for one in found["comm"].tolist()]
    labels = [tables.label_values[one] for one in found["labels"].tolist()]
    columns = list(zip(found["pid"].tolist(), found["tid"].tolist(), texts, labels, strict=True))
    names = _names(columns)
    for pid, tid, comm, known in columns:
        name = text_of(PROCESS, known) or names.get(pid, "") or comm
        yield _Thread(pid, tid, comm or UNKNOWN_COMM, name or UNKNOWN_COMM, known)


def _names(columns: Iterable[tuple[int, int, str, tuple[Label, ...]]]) -> dict[int, str]:
    """Names of processes: what they are labelled with, else that of their first thread's, else the
    one that most of their threads have.
    """
    votes: dict[int, Counter[str]] = {}
    for pid, tid, comm, labels in columns:
        label = text_of(PROCESS, labels)
        weight = 1 << 40 if label else 1 << 20 if pid == tid else 1
        if pid > 0:
            votes.setdefault(pid, Counter())[label or comm] += weight
    return {pid: max(found, key=lambda one: (found[one], one)) for pid, found in votes.items()}


def _process(thread: _Thread) -> Owner:
    return Owner(thread.process, thread.pid if thread.pid > 0 else None)


def _one_thread(thread: _Thread) -> Owner:
    is_known = thread.pid > 0
    return Owner(thread.comm, thread.pid, thread.tid) if is_known else Owner(thread.comm)


_READERS: dict[str, Callable[[_Thread], Owner]] = {
    "process": _process,
    "comm": lambda thread: Owner(thread.comm),
    "thread": _one_thread,
    "container": lambda thread: Owner(container_text(thread.labels)),
    "cgroup": lambda thread: Owner(cgroup_text(thread.labels)),
    "command": lambda thread: Owner(command_text(thread.labels, thread.process)),
}
OWNERS = tuple(_READERS)
"""What samples can be put together by, other than by their stacks."""
