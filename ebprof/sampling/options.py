"""How to sample: what the options of the commands that record say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ebprof.bpf.loaders import AUTO

MIN_TABLE_MEMORY, MAX_TABLE_MEMORY = 2, 256
DEFAULT_TABLE_MEMORY = 64
"""MiB: 15 million rows, a third of what all programs and libraries of a large machine have."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How to sample. duration_s: None until interrupted; call_graph: auto, dwarf or fp.

    frequency (Hz) or period (events): None for what is usual for the event.
    table_memory: for unwind tables, MiB. preload: make tables of some processes that nobody named
    before sampling; the others get theirs when a sample meets them. symbol_memory: for symbols of
    files, MiB. slice_ns: keep samples apart by slices of time; 0: do not. loader: of BPF programs,
    one of LOADERS. debug_dirs: where debug files are looked for as well; debuginfod: URLs of
    servers that are asked for them. is_always_timed: the kernel times all runs of BPF programs, of
    others too, which costs each some 50 ns; else it does so for a share of the time.
    """

    event: str = "cpu"
    frequency: int | None = None
    period: int | None = None
    duration_s: float | None = None
    user: bool = True
    kernel: bool = True
    idle: bool = False
    call_graph: str = "auto"
    inline: bool = True
    table_memory: int = DEFAULT_TABLE_MEMORY
    preload: bool = True
    symbol_memory: int = 1024
    slice_ns: int = 0
    loader: str = AUTO
    debug_dirs: tuple[Path, ...] = ()
    debuginfod: tuple[str, ...] = ()
    is_always_timed: bool = True
