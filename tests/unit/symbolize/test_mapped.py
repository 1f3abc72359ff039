"""Code in mapped files that are no ELF files: where it is in its file."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ebprof.procfs.maps import MapsEntry
from ebprof.symbolize import Symbolizer
from ebprof.symbolize.symbolizer import ANONYMOUS_PATH

PAGE = 4096
MAP_FIXED = 0x10
EXECUTABLE = mmap.PROT_READ | mmap.PROT_EXEC


@contextmanager
def mapped(descriptor: int, offset: int = 0) -> Iterator[int]:
    """The address of a page of a file (-1: of none) that is mapped as code."""
    flags = mmap.MAP_PRIVATE if descriptor >= 0 else mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
    with mmap.mmap(descriptor, PAGE, flags=flags, prot=EXECUTABLE, offset=offset) as memory:
        view = np.frombuffer(memory, np.uint8)
        address = view.ctypes.data
        del view
        yield address


def make(path: Path, contents: bytes = b"MZ") -> int:
    """A file of three pages, open."""
    path.write_bytes(contents.ljust(3 * PAGE, b"\0"))
    return os.open(path, os.O_RDWR)


def name_of(symbolizer: Symbolizer, address: int) -> tuple[str, str]:
    """What is shown of an address of ours, and of its module."""
    (location,) = symbolizer.jit_locations(os.getpid(), [address]).values()
    (frame,) = location.frames
    assert location.mapping is not None
    return frame.function, location.mapping.path


def first_name_of(symbolizer: Symbolizer, address: int) -> tuple[str, str]:
    """The same where nothing else is known to have been there before."""
    symbolizer.forget_process(os.getpid())
    return name_of(symbolizer, address)


def test_a_file_that_is_no_object(tmp_path: Path, symbolizer: Symbolizer) -> None:
    path = tmp_path / "app.dll"
    with mapped(make(path), 2 * PAGE) as address:
        assert name_of(symbolizer, address + 0x10) == ("[app.dll]+0x2010", str(path))
        (location,) = symbolizer.jit_locations(os.getpid(), [address + 0x10]).values()
    assert location.address == 0x2010
    mapping = location.mapping
    assert mapping is not None
    assert (mapping.start, mapping.limit, mapping.offset) == (2 * PAGE, 3 * PAGE, 2 * PAGE)


def test_a_cache_in_memory_and_files_that_are_gone(tmp_path: Path, symbolizer: Symbolizer) -> None:
    memory = os.memfd_create("doublemapper")
    os.ftruncate(memory, PAGE)
    with mapped(memory) as address:
        assert first_name_of(symbolizer, address)[0] == "[memfd:doublemapper]+0x0"
    with mapped(make(tmp_path / "deleted.so")) as address:
        (tmp_path / "deleted.so").unlink()
        assert first_name_of(symbolizer, address + 1)[0] == "[deleted.so]+0x1"
    with mapped(cut := make(tmp_path / "cut.so"), PAGE) as address:
        os.ftruncate(cut, 0)
        assert first_name_of(symbolizer, address)[0] == "[cut.so]+0x1000"


def test_memory_without_a_file_stays_anonymous(symbolizer: Symbolizer) -> None:
    with mapped(-1) as address:
        assert name_of(symbolizer, address) == (f"[anon]+0x{address:x}", ANONYMOUS_PATH)
    assert name_of(symbolizer, 0x10) == ("[anon]+0x10", ANONYMOUS_PATH)


def test_hostile_names(tmp_path: Path, symbolizer: Symbolizer) -> None:
    with mapped(make(tmp_path / "a\x1b[31m\n;b (deleted)")) as address:
        function, path = first_name_of(symbolizer, address)
    assert function.isprintable()
    assert path.isprintable()
    with mapped(make(tmp_path / "[heap]")) as address:
        assert first_name_of(symbolizer, address) == ("[heap]+0x0", str(tmp_path / "[heap]"))


def test_what_is_unmapped_now_was_there(tmp_path: Path, symbolizer: Symbolizer) -> None:
    with mapped(make(tmp_path / "app.dll")) as address:
        symbolizer.watch_jit(os.getpid())
    assert name_of(symbolizer, address)[0] == "[app.dll]+0x0"
    symbolizer.forget_process(os.getpid())
    assert name_of(symbolizer, address)[1] == ANONYMOUS_PATH


def test_what_took_the_place_of_other_code_has_no_name(
    tmp_path: Path, symbolizer: Symbolizer
) -> None:
    """Nobody knows which of the two files a sample was taken in."""
    with mapped(make(tmp_path / "one.dll")) as address:
        symbolizer.watch_jit(os.getpid())
        map_over(address, make(tmp_path / "two.dll"))
        assert name_of(symbolizer, address) == (f"[anon]+0x{address:x}", ANONYMOUS_PATH)


def test_an_object_file_is_not_what_was_there(tmp_path: Path, symbolizer: Symbolizer) -> None:
    """What is sampled in an object that is known is named by it, not by its address."""
    with mapped(make(tmp_path / "late.so")) as address:
        wanted: list[MapsEntry] = []

        def is_object(entry: MapsEntry) -> bool:
            wanted.append(entry)
            return True

        (location,) = symbolizer.jit_locations(os.getpid(), [address], is_object).values()
        assert location.mapping is not None and location.mapping.path == ANONYMOUS_PATH
        assert wanted[0].path.endswith("late.so")


def map_over(address: int, descriptor: int) -> None:
    """Map a page of a file in place of what is at an address."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, *[ctypes.c_long] * 5]
    assert (
        libc.mmap(address, PAGE, EXECUTABLE, MAP_FIXED | mmap.MAP_PRIVATE, descriptor, 0) == address
    )


CHILD = """
import mmap, sys
file = open(sys.argv[1], "r+b")
memory = mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_EXEC)
print(flush=True)
sys.stdin.read()
"""


def test_a_process_that_is_gone(tmp_path: Path, symbolizer: Symbolizer) -> None:
    path = tmp_path / "app.dll"
    os.close(make(path))
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", CHILD, path], stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        lines = Path(f"/proc/{child.pid}/maps").read_text().splitlines()
        (start,) = (line.partition("-")[0] for line in lines if line.endswith("app.dll"))
        symbolizer.watch_jit(child.pid)
        child.kill()
    (location,) = symbolizer.jit_locations(child.pid, [int(start, 16) + 3]).values()
    assert location.frames[0].function == "[app.dll]+0x3"


def test_names_of_a_runtime_come_first(tmp_path: Path, symbolizer: Symbolizer) -> None:
    perf_map = Path(f"/tmp/perf-{os.getpid()}.map")
    try:
        with mapped(make(tmp_path / "jit.bin")) as address:
            perf_map.write_text(f"{address:x} 20 jitted\n")
            assert name_of(symbolizer, address + 4)[0] == "jitted"
            assert name_of(symbolizer, address + 0x20)[0] == "[jit.bin]+0x20"
    finally:
        with suppress(FileNotFoundError):
            perf_map.unlink()
