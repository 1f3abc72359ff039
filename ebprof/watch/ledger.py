"""The figures of a run, whatever it counted: what it cost, and what else happened meanwhile."""

from __future__ import annotations

import json
import resource
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ebprof.errors import BadFileError, reason_of


class Subject(Protocol):
    """What a run counted."""

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, keys as the fields are named."""


AnySubject = TypeVar("AnySubject", bound=Subject)


@dataclass(frozen=True, slots=True)
class BpfCost:
    """Runs of the BPF programs and the time they took, by the kernel's own measure."""

    run_count: int
    run_seconds: float


@dataclass(frozen=True, slots=True)
class ToolCost:
    """ebprof's own cost, with its helpers'. ready: process start to counting on; finish: the end of
    counting to the result written, None where results are written all along.
    """

    ready_seconds: float
    finish_seconds: float | None = None
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """A plain dict, without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Ledger(Generic[AnySubject]):
    """One run, as `--stats` writes it.

    subject: what was counted; its fields stand beside those of the ledger. failures: what
    `readers_failed` counts, by exception and line of code.
    """

    subject: AnySubject
    duration_seconds: float
    bpf: BpfCost
    tool: ToolCost
    counters: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def closed(
        self, finish_seconds: float | None = None, command_cpu_seconds: float = 0.0
    ) -> Ledger[AnySubject]:
        """With the tool's cost up to now: its own and its helpers', which have ended."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        tool = replace(
            self.tool,
            finish_seconds=finish_seconds,
            cpu_seconds=cpu - command_cpu_seconds,
            max_rss_bytes=1024 * own.ru_maxrss,
        )
        return replace(self, tool=tool)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, keys as the fields are named."""
        return {
            **self.subject.to_json(),
            "duration_seconds": self.duration_seconds,
            "bpf": asdict(self.bpf),
            "tool": self.tool.to_json(),
            "counters": self.counters,
            "failures": self.failures,
        }

    def write(self, path: str) -> None:
        """Write it to a file as JSON; raises BadFileError."""
        try:
            Path(path).write_text(json.dumps(self.to_json(), indent=2) + "\n")
        except OSError as error:
            reason = reason_of(error)
            raise BadFileError(f"cannot write {path}: {reason}") from None

    def overhead(self, what: str, digits: int) -> str:
        """A line for people. what: a run of the program is for; digits: of its microseconds."""
        bpf, tool = self.bpf, self.tool
        duration = max(self.duration_seconds, 1e-9)
        kernel = "nothing measured in the kernel"
        if bpf.run_count:
            share, each = 100 * bpf.run_seconds / duration, 1e6 * bpf.run_seconds / bpf.run_count
            kernel = f"{share:.3f} % of a core in the kernel, {each:.{digits}f} us a {what}"
        return (
            f"overhead: {kernel}; "
            f"ebprof itself {tool.cpu_seconds:.2f} s CPU, {tool.max_rss_bytes / 1e6:.0f} MB"
        )
