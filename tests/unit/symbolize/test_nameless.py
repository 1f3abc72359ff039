"""What samples have no names for: which runtime it is, whose, how much of it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ebprof.model import KERNEL_PATH, Frame, Location, Mapping, Sample, Samples, samples_of
from ebprof.symbolize.nameless import MOST_LINES, NameGaps, lines_of, nameless_in

LOOP = "_PyEval_EvalFrameDefault"
START = ("libc.so.6:[libc.so.6]+0x27200", "libc.so.6:__libc_start_main")


def location(text: str) -> Location:
    """`/path/file:function`; files of runtimes' own names have no extent."""
    path, _, function = text.rpartition("/:") if "/:" in text else text.partition(":")
    is_own = path.startswith(("/tmp/perf-", "//anon", "[kernel"))
    mapping = Mapping(path, "", 0, 0 if is_own else 1 << 20)
    return Location(sum(text.encode()), mapping, (Frame(function),))


def sample(*leaf_first: str, count: int = 100, pid: int = 7) -> Sample:
    return Sample(pid, pid, "x", tuple(map(location, leaf_first)), "complete", count)


def found(*samples: Sample) -> list[str]:
    return [one.text for one in nameless_in(samples_of(samples))]


def python(version: str, *inner: str, count: int = 100, pid: int = 7) -> Sample:
    main = f"/usr/bin/python{version}"
    return sample(*inner, f"{main}:{LOOP}", f"{main}:Py_BytesMain", *START, count=count, pid=pid)


def node(*inner: str, count: int = 100, pid: int = 7) -> Sample:
    return sample(*inner, "/usr/bin/node:node::Start", *START, count=count, pid=pid)


def test_python_before_3_12_is_told_that_it_has_none() -> None:
    (text,) = found(python("3.11", count=8), sample("/usr/bin/python3.11:gc_collect", count=2))
    assert text == (
        "PID 7 is Python 3.11: its functions have no names here (80 % of its samples): Python 3.12 "
        "and later has them when started with `python -X perf` or PYTHONPERFSUPPORT=1"
    )


@pytest.mark.parametrize("version", ["3.12", "3.13", "4.0"])
def test_a_later_python_is_told_to_start_with_it(version: str) -> None:
    (text,) = found(python(version))
    assert f"is Python {version}:" in text
    assert text.endswith(": start it with `python -X perf` or PYTHONPERFSUPPORT=1")


def test_python_in_another_program_is_seen_by_its_loop() -> None:
    library = f"/usr/lib/libpython3.10.so.1.0:{LOOP}"
    assert "Python 3.10:" in found(sample(library, "/usr/bin/uwsgi:main"))[0]
    assert "is Python: " in found(sample(f"/usr/bin/uwsgi:{LOOP} [clone .cold]"))[0]


def test_python_with_a_perf_map_has_names() -> None:
    assert not found(python("3.12", "/tmp/perf-7.map:py::work:/srv/work.py"))
    assert not found(sample(f":{LOOP}", ":py::work:/srv/work.py"))  # folded stacks


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        ("/usr/bin/node", "Node.js", "`node --perf-basic-prof`"),
        ("/usr/lib/jvm/java-17/lib/server/libjvm.so", "Java", "`jcmd 7 Compiler.perfmap`"),
        ("/usr/share/dotnet/libcoreclr.so", ".NET", "DOTNET_PerfMapEnabled=1"),
        ("/usr/lib/erlang/bin/beam.smp", "Erlang", "`erl +JPperf map`"),
        ("/usr/bin/qemu-system-x86_64", "QEMU", "-perfmap"),
    ],
)
def test_compilers_are_known_by_their_files(module: str, name: str, advice: str) -> None:
    """A stack need not reach the file: another one of the process does."""
    (text,) = found(
        sample("//anon/:[anon]+0x7f12", count=30),
        sample(f"{module}:start", count=70),
        sample("libc.so.6:malloc", count=50, pid=8),
    )
    assert text.startswith(f"PID 7 is {name}: its functions have no names here (30 % of its")
    assert advice in text


def test_a_compiler_that_names_its_code_is_not_told_to() -> None:
    assert not found(node("/tmp/perf-7.map:JS:*burn"))


def test_code_in_memory_of_an_unknown_runtime() -> None:
    (text,) = found(sample("//anon/:[anon]+0x7f12", "/usr/bin/luajit:main"))
    assert text.startswith("PID 7 runs code in no file")
    assert "/tmp/perf-7.map" in text
    pair = [sample("//anon/:[anon]+0x7f12", pid=pid) for pid in (8, 9)]
    assert found(*pair)[0].startswith("PIDs 8 and 9 run code in no file")
    assert not found(sample("libc.so.6:memcpy", "//anon/:[anon]+0x7f12"))  # a walk gone astray


@pytest.mark.parametrize("stop", ["no_mapping", "no_table_yet"])
def test_code_of_which_nothing_is_known_is_no_compilers(stop: str) -> None:
    """It was in a file, most likely: of a process that was too short, or too new."""
    gone = Sample(7, 7, "x", (location("//anon/:[anon]+0x7f12"),), stop, 100)
    assert not found(gone)
    assert not found(gone, sample("/usr/bin/node:main", count=5))


def test_little_does_not_matter() -> None:
    assert not found(python("3.11", count=4), sample("x:f", count=96))
    assert not found(python("3.11", count=9), sample("x:f", count=991, pid=8))
    assert not found(python("3.11", count=4))
    assert found(python("3.11", count=5), sample("x:f", count=95))


def test_processes_of_one_runtime_share_a_line() -> None:
    texts = found(*(python("3.11", pid=pid, count=100 - pid) for pid in range(1, 10)))
    (text,) = texts
    assert text.startswith("PIDs 1, 2, 3 and 6 more are Python 3.11: their functions")
    (text,) = found(node("//anon/:[anon]+0x1", pid=3), node("//anon/:[anon]+0x1", pid=4, count=9))
    assert text.startswith("PIDs 3 and 4 are Node.js")
    (one,) = nameless_in(samples_of([python("3.9", pid=0)]))
    assert (one.pids, one.text.split(":")[0]) == ((), "a process is Python 3.9")


def test_the_run_itself_is_left_out() -> None:
    assert not nameless_in(samples_of([python("3.11", pid=5)]), [5])


def test_stripped_programs_are_told_by_their_share() -> None:
    """Who calls the C library is to blame; where the library itself has no name, the library."""
    texts = found(
        sample("/srv/shop:[shop]+0x3f60", "/srv/shop:main", *START, count=30),
        sample(
            f"{KERNEL_PATH}:vfs_read",
            "/lib/libc.so.6:read",
            "/srv/shop:[shop]+0x1000",
            *START,
            count=30,
        ),
        sample("/lib/libc.so.6:[libc.so.6]+0x15000", "/srv/cart:main", *START, count=40),
    )
    assert texts == [
        "/srv/shop has no symbols for 60 % of the samples: install its debug symbols, "
        "see docs/symbols.md",
        "/lib/libc.so.6 has no symbols for 40 % of the samples: install its debug symbols, "
        "see docs/symbols.md",
    ]


def test_how_programs_start_is_nobodys_fault() -> None:
    assert not found(sample("/srv/shop:work", "/srv/shop:main", *START))
    assert not found(sample(f"{KERNEL_PATH}:[kernel]+0xffff"))


def test_what_a_runtime_is_told_of_is_not_said_twice() -> None:
    texts = found(python("3.11", "/usr/bin/python3.11:[python3.11]+0x1000"))
    assert len(texts) == 1


def test_stacks_without_frames_and_no_samples() -> None:
    assert found() == []
    assert not found(sample(), sample(pid=8))


def test_names_of_processes_are_shown_printable() -> None:
    (text,) = found(sample("/srv/\x1b[31m\n:[shop]+0x10"))
    assert "\x1b" not in text and "\n" not in text


def test_more_lines_than_anybody_reads() -> None:
    every = nameless_in(samples_of([python(f"3.{minor}", pid=minor + 1) for minor in range(8)]))
    lines = lines_of(every)
    assert len(every) == 8
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "and 3 more without names"


def test_windows_add_up() -> None:
    """Also where tables go on from one window to the next, or begin anew."""
    gaps = NameGaps()
    for part in windows():
        gaps.add(part)
    (one,) = gaps.found()
    assert (one.samples, one.pids, one.what) == (60, (7,), "Python 3.11")
    assert one.share == pytest.approx(0.6)


def windows() -> Iterable[Samples]:
    for _ in range(2):
        whole = samples_of([python("3.11", count=30), sample("x:f", count=20)])
        yield whole.take(slice(0, 1))
        yield whole.take(slice(1, 2))
