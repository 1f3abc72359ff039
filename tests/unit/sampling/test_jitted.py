"""What samples ask of a JIT's code, and what perf maps and memory answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.sampling import jitted
from ebprof.sampling.jitted import JittedCode
from ebprof.unwind.jitted import BLOCK
from ebprof.unwind.replay import JitBlocks, UnwoundStack
from ebprof.walls import Walls

LEAF = b"\x53\x90\x5b\xc3"  # push rbx; nop; pop rbx; ret
BASE = 0x10000


class FakeBlocks:
    """A map of blocks that never forgets, and for how long each was set."""

    def __init__(self) -> None:
        self.blocks: dict[tuple[int, int], NDArray[Any]] = {}
        self.seconds: dict[int, float] = {}

    def find(self, pid: int, number: int) -> NDArray[Any] | None:
        return self.blocks.get((pid, number))

    def set(self, pid: int, first: int, blocks: NDArray[Any], seconds: float) -> None:
        for at in range(len(blocks)):
            self.blocks[pid, first + at] = blocks[at : at + 1].copy()
            self.seconds[first + at] = seconds


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = os.memfd_create("memory")
    os.pwrite(descriptor, LEAF * 64, BASE)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def perf_map() -> Iterator[Callable[[str], None]]:
    """Writes this process's perf map."""
    path = Path(f"/tmp/perf-{os.getpid()}.map")
    yield lambda text: void(path.write_text(text))
    path.unlink(missing_ok=True)


def void(_: object) -> None:
    pass


def asking(*addresses: int) -> Callable[[JitBlocks], UnwoundStack]:
    """Asks about each address until its block is there, or the process has no map."""

    def replay(known: JitBlocks) -> UnwoundStack:
        left = [a for a in addresses if a // BLOCK not in known and 0 not in known]
        return UnwoundStack(np.zeros(0, np.uint64), 0, 0, left[0] if left else 0)

    return replay


def kind(blocks: FakeBlocks, address: int) -> int:
    block = blocks.blocks[os.getpid(), address // BLOCK]
    return int(block["by_byte"]["kind"][0, address % BLOCK])


def test_a_named_function_is_read(memory: int, perf_map: Callable[[str], None]) -> None:
    perf_map(f"{BASE:x} 4 first\n{BASE + 4:x} 4 second\n")
    code = JittedCode(blocks := FakeBlocks())
    assert code.unwind(os.getpid(), memory, asking(BASE + 1)).asked == 0
    assert (kind(blocks, BASE + 1), kind(blocks, BASE + 5)) == (lib.JIT_BY_SP, lib.JIT_UNASKED)
    code.unwind(os.getpid(), memory, asking(BASE + 5))
    assert (kind(blocks, BASE + 1), kind(blocks, BASE + 5)) == (lib.JIT_BY_SP, lib.JIT_BY_SP)
    code.close()


def test_code_that_was_replaced_is_read_anew(memory: int, perf_map: Callable[[str], None]) -> None:
    perf_map(f"{BASE:x} 4 first\n{BASE + 4:x} 4 second\n")
    code = JittedCode(blocks := FakeBlocks())
    code.unwind(os.getpid(), memory, asking(BASE))
    os.pwrite(memory, b"\x90\x90\x90\xc3", BASE)
    code.unwind(os.getpid(), memory, asking(BASE))
    rule = blocks.blocks[os.getpid(), BASE // BLOCK]["by_byte"][0, 1]
    assert rule["words"] == 0
    assert kind(blocks, BASE + 4) == lib.JIT_UNASKED


def test_without_a_map_the_process_is_said_to_have_none(memory: int) -> None:
    code = JittedCode(blocks := FakeBlocks())
    assert code.unwind(os.getpid(), memory, asking(BASE, BASE + 640)).asked == 0
    assert list(blocks.blocks) == [(os.getpid(), 0)]
    assert blocks.seconds == {0: jitted.RETRY_S}


def test_what_the_map_does_not_name_is_asked_again_soon(
    memory: int, perf_map: Callable[[str], None]
) -> None:
    perf_map(f"{BASE + 4096:x} 4 other\n")
    code = JittedCode(blocks := FakeBlocks())
    code.unwind(os.getpid(), memory, asking(BASE))
    assert kind(blocks, BASE) == lib.JIT_UNKNOWN
    assert blocks.seconds[BASE // BLOCK] == jitted.RETRY_S


@pytest.mark.parametrize(
    "line",
    [
        f"{BASE:x} {jitted.MOST_CODE + 1:x} large",
        "fffffffffffff000 800 beyond",
        "7fffffffffff0000 40 unreadable",
    ],
)
def test_functions_that_are_not_read(
    line: str, memory: int, perf_map: Callable[[str], None]
) -> None:
    perf_map(line + "\n")
    address = int(line.split()[0], 16)
    code = JittedCode(blocks := FakeBlocks())
    assert code.unwind(os.getpid(), memory, asking(address)).asked == 0
    assert kind(blocks, address) == lib.JIT_UNKNOWN


def test_there_is_no_more_time_for_it_than_its_share(
    memory: int, perf_map: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jitted, "BURST_S", 0.0)
    monkeypatch.setattr(jitted, "SHARE", 0.0)
    perf_map(f"{BASE:x} 4 first\n")
    code = JittedCode(blocks := FakeBlocks())
    code.unwind(os.getpid(), memory, asking(BASE))
    assert kind(blocks, 0) == lib.JIT_UNKNOWN


def test_a_stack_that_never_stops_asking(memory: int) -> None:
    code = JittedCode(FakeBlocks())
    endless = UnwoundStack(np.zeros(0, np.uint64), 0, 0, BASE)
    assert code.unwind(os.getpid(), memory, lambda known: endless) is endless


@pytest.mark.usefixtures("walls_hold")
def test_a_surprise_in_a_map_costs_its_names(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("too large")

    monkeypatch.setattr("ebprof.symbolize.perfmap.PerfMap.refresh", fail)
    walls = Walls()
    JittedCode(FakeBlocks(), walls).unwind(os.getpid(), memory, asking(BASE))
    assert walls.failed == 1


@pytest.mark.usefixtures("walls_hold")
@pytest.mark.parametrize("end", ["forget", "close"])
def test_a_map_that_cannot_be_closed_costs_nothing_else(
    end: str, memory: int, perf_map: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise KeyError("cannot be closed")

    perf_map(f"{BASE:x} 4 leaf\n")
    walls = Walls()
    code = JittedCode(FakeBlocks(), walls)
    code.unwind(os.getpid(), memory, asking(BASE))
    with monkeypatch.context() as patched:
        patched.setattr("ebprof.symbolize.perfmap.PerfMap.forget", fail)
        if end == "forget":
            code.forget(os.getpid())
        else:
            code.close()
    assert walls.failed == 1
