"""Builders of test values: `stack("main;f;g_[k]", 3)` instead of nested literals."""

from __future__ import annotations

import functools
from typing import Any

from ebprof.model import KERNEL_PATH, Frame, Location, Mapping, Profile, Sample, samples_of

KERNEL = Mapping(KERNEL_PATH, start=0xFFFFFFFF81000000, limit=0xFFFFFFFF82000000)
JIT = Mapping("//anon")
# HTML, XML, a terminal's escape, folded stacks' separators, a surrogate.
HOSTILE = "</script><script>document.title='x'</script>]]>&\x1b[31m;\n\udc80"
DEMO = Mapping("/usr/bin/demo", "c0ffee", 0x1000, 0x9000, 0x1000)


@functools.cache
def frame(name: str) -> Frame:
    """A frame of `name`, at the line of demo.c that the name's length says."""
    return Frame(name, "/src/demo.c", len(name))


@functools.cache
def location(*names: str, mapping: Mapping | None = DEMO) -> Location:
    """One location with frames `names`, innermost inlined call first; equal calls share it."""
    offset = sum(name.encode("utf-8", "replace")[0] for name in names) * 16
    return Location((mapping.start if mapping else 0) + offset, mapping, tuple(map(frame, names)))


def stack(text: str, count: int = 1, **fields: Any) -> Sample:
    """A sample whose stack is written root first: `main;f;g`.

    `_[k]` ends a kernel frame; `_[i]` a call that was inlined into the frame before it. `fields`
    are Sample's own (pid, tid, comm, stop).
    """
    values = {"pid": 1, "tid": fields.get("pid", 1), "comm": "demo", "stop": "complete"} | fields
    return Sample(locations=_locations(text), count=count, **values)


def profile(*samples: Sample | str, **fields: Any) -> Profile:
    """A profile of samples, or of their texts; `fields` are Profile's own."""
    taken = tuple(stack(sample) if isinstance(sample, str) else sample for sample in samples)
    values = {"period": 1_000_000, "time_ns": 1_700_000_000_000_000_000, "duration_ns": 10**9}
    return Profile(samples_of(taken), **(values | fields))


def example() -> Profile:
    """A profile with one of each: inlined, kernel, JIT, nameless, incomplete, hostile."""
    start = "_start;__libc_start_main;main"
    return profile(
        stack(f"{start};parse;push_back(T&&)_[i];operator new(unsigned long);malloc", 40),
        stack(f"{start};run(int);step_[i];fft<float>(float const*)", 160, tid=2),
        stack(f"{start};run(int);step_[i];[libm.so.6]+0x2f130", 60),
        stack(f"{start};run(int);read;do_syscall_64_[k];ksys_read_[k];copy_user_[k]", 55),
        stack("[demo]+0x1234;lost", 20, stop="no_row", comm="worker", tid=3),
        stack(
            "kthread_[k];process_one_work_[k]", 18, pid=9, comm="kworker/0:1", stop="no_user_stack"
        ),
        Sample(7, 7, "a;b", (location(HOSTILE), location("main")), "complete", 15),
        Sample(8, 8, "node", (location("Fn:render", mapping=JIT),), "complete", 30),
        period=10_000_000,
        duration_ns=10 * 10**9,
        comments=("ebprof profile -p 1",),
    )


def many_stacks(stacks: int = 10_000, depth: int = 40, functions: int = 2_000) -> Profile:
    """A big profile: distinct stacks that share their outer halves, locations shared."""
    known = [location(f"ns::function_{number}(int, char const*)") for number in range(functions)]
    return profile(*(_deep(known, number, depth) for number in range(stacks)))


def _deep(known: list[Location], number: int, depth: int) -> Sample:
    steps = [number >> max(0, 14 - level) if level < 14 else number + 7 for level in range(depth)]
    path = [known[(step * 31 + level * 17) % len(known)] for level, step in enumerate(steps)]
    return Sample(1, 1 + number % 8, "demo", tuple(reversed(path)), "complete", 1 + number % 5)


def _locations(text: str) -> tuple[Location, ...]:
    physical: list[list[str]] = []
    for name in filter(None, text.split(";")):
        if name.endswith("_[i]"):
            physical[-1].insert(0, name[:-4])
        else:
            physical.append([name])
    return tuple(_location(names) for names in reversed(physical))


def _location(names: list[str]) -> Location:
    if names[-1].endswith("_[k]"):
        return location(*names[:-1], names[-1][:-4], mapping=KERNEL)
    return location(*names)
