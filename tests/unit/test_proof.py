"""The proof's judgement: what it calls a right stack, and when a bar is missed."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from ebprof.sampling.statistics import ALL_COUNTERS
from tests.live.profiled import Recorded
from tests.proof import measure, report
from tests.proof.elsewhere import Code, Symbols, is_named_if_it_can_be
from tests.proof.guest import row_in
from tests.proof.kept import Kept
from tests.proof.measure import judge
from tests.proof.stack import Frame, Stack, read
from tests.proof.start import program
from tests.proof.truth import any_of, below, chain, outermost, rust, times, up_to, without
from tests.proof.workload import SOME, Aim, Row, Workload
from tests.proof.workloads import all_workloads, families

DOCS = Path(__file__).parents[2] / "docs" / "proof.md"
START = "_start;__libc_start_main;__libc_start_call_main"
ROW = Row("split", "6.1", 0.995, samples=1000, complete=1000, right=1000, stops={"complete": 1000})


def stack(text: str, *, stop: str = "complete", count: int = 1) -> Stack:
    """Written root first, below what starts a C program: `main;f;g`."""
    names = f"{START};{text}".split(";") if text.startswith("main") else text.split(";")
    return Stack("demo", tuple(map(Frame, names)), stop, count)


SPLIT = chain("main", "serve", ("sixty", "ten"))


@pytest.mark.parametrize("text", ["main", "main;serve", "main;serve;ten", "main;serve;sixty(int)"])
def test_a_stack_is_right_wherever_it_was_taken(text: str) -> None:
    assert SPLIT(stack(text))


@pytest.mark.parametrize(
    "text",
    [
        "main;sixty",
        "main;serve;serve;ten",
        "main;serve;memcpy",
        "main;serve;ten;ten",
        "main;other;ten",
        "main;serve;sixty_two",
        "serve;ten",
        "_start",
        "[anon]+0x1;main;serve;ten",
    ],
)
def test_a_stack_with_anything_missing_or_foreign_is_wrong(text: str) -> None:
    assert not SPLIT(stack(text))


def test_a_stack_that_did_not_end_as_it_must_is_wrong() -> None:
    assert not SPLIT(stack("main;serve;ten", stop="no_row"))
    cut = outermost(times("descend", 2), "leaf", stop="truncated")
    assert cut(stack("descend;descend;leaf", stop="truncated"))
    assert not cut(stack("descend;descend;leaf"))


def test_functions_of_others_may_stand_where_there_are_dots_and_nowhere_else() -> None:
    sort = chain("main", "sort", ..., "compare", "burn")
    assert sort(stack("main;sort"))
    assert sort(stack("main;sort;qsort_r;msort"))
    assert sort(stack("main;sort;qsort_r;msort;compare(void const*);burn"))
    assert not sort(stack("main;qsort_r;sort"))
    assert not sort(stack("main;sort;qsort_r;burn"))
    assert not sort(stack("main;sort;compare;qsort_r;burn"))


def test_what_one_way_names_is_foreign_to_none() -> None:
    either = below(["main", "work"], ["draw", "burn"], [...])
    assert either(stack("main;work;malloc"))
    assert either(stack("main;work;draw;burn"))
    assert not either(stack("main;work;burn"))


def test_calls_are_counted() -> None:
    deep = chain("main", times("descend", 3), "leaf")
    assert deep(stack("main;descend;descend;descend;leaf"))
    assert deep(stack("main;descend"))
    assert not deep(stack("main;descend;descend;leaf"))
    assert not deep(stack("main;descend;descend;descend;descend;leaf"))
    some = chain("main", up_to("f", 2), "g")
    assert all(map(some, map(stack, ["main;g", "main;f;g", "main;f;f;g"])))
    assert not some(stack("main;f;f;f;g"))


@pytest.mark.parametrize(
    "name",
    [
        "f(int)",
        "f<int>(int)",
        "(anonymous namespace)::f(int) const",
        "void f<int>(int)",
        "f.part.0",
        "f(int) [clone .isra.0]",
        "f[abi:cxx11](int)",
    ],
)
def test_a_compilers_names_of_a_function_are_its_name(name: str) -> None:
    assert chain("main", "f")(stack(f"main;{name}"))


@pytest.mark.parametrize("name", ["fg", "ns::f(int)", "f()::{lambda()#1}::operator()()", "f::g"])
def test_other_functions_are_others(name: str) -> None:
    assert not chain("main", "f")(stack(f"main;{name}"))


def test_names_that_begin_alike_and_what_starts_rust() -> None:
    assert chain("main", "routine(*")(stack("main;routine(x::routine()::Frame*) [clone .actor]"))
    assert rust(["a::main", "a::f"])(stack("main;std::rt::lang_start_internal;a::main;a::f"))


def test_truths_put_together() -> None:
    either = any_of(chain("main", "f"), chain("main", "g"))
    assert either(stack("main;g"))
    assert not either(stack("main;h"))
    assert without("work", lambda _: True)(stack("main;f"))
    assert not without("work", lambda _: True)(stack("main;work_parent"))


@pytest.mark.parametrize(
    "code",
    [
        "e811223344",  # call rel32
        "ffd0",  # call *%rax
        "41ffd4",  # call *%r12
        "ff5018",  # call *0x18(%rax)
        "ff1511223344",  # call *0x44332211(%rip)
        "ff542408",  # call *0x8(%rsp)
        "ff14c511223344",  # call *table(,%rax,8)
    ],
)
def test_call_instructions_are_known(code: str) -> None:
    assert Code(bytes(3) + bytes.fromhex(code), b"").is_call


@pytest.mark.parametrize("code", ["90909090909090", "ffe0ffe0ffe0c3", "00000000ff2500", "c3"])
def test_other_instructions_are_no_calls(code: str) -> None:
    assert not Code(bytes.fromhex(code), b"").is_call


def test_a_name_is_asked_for_where_the_file_has_one(tmp_path: Path) -> None:
    source, path = tmp_path / "f.c", tmp_path / "f.so"
    source.write_text("int work(int x) { return x * 3; }\n")
    subprocess.run(["gcc", "-shared", "-o", path, source], check=True)
    symbols = Symbols.of(str(path))
    address = symbols.starts[symbols.names.index("work")]
    assert is_named_if_it_can_be(Frame("work", str(path), address + 1))
    assert not is_named_if_it_can_be(Frame("[f.so]+0x1", str(path), address + 1))
    assert is_named_if_it_can_be(Frame("[f.so]+0x1", str(path), 1))
    assert not is_named_if_it_can_be(Frame("[anon]+0x1", "", 1))
    assert not is_named_if_it_can_be(Frame("[anon]+0x1", "//anon", 1))


def test_stacks_are_read_root_first_without_the_kernels_frames() -> None:
    document = {
        "mappings": [
            {"path": "/bin/demo", "start": 0x1000, "offset": 0x400},
            {"path": "[kernel.kallsyms]", "start": 0, "offset": 0},
        ],
        "frames": [{"function": "inlined"}, {"function": "f"}, {"function": "main"}],
        "locations": [
            {"address": 1, "mapping": 1, "frames": [1]},
            {"address": 0x1010, "mapping": 0, "frames": [0, 1]},
            {"address": 0x20, "mapping": None, "frames": [2]},
        ],
        "samples": [
            {"comm": "demo", "pid": 7, "stop": "complete", "count": 3, "locations": [0, 1, 2]}
        ],
    }
    frames = (Frame("main", address=0x20), Frame("f", "/bin/demo", 0x1010, 0x410))
    assert list(read(document)) == [Stack("demo", frames, "complete", 3, pid=7)]


def test_processes_of_one_run_are_judged_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def workload(pid: int) -> Workload:
        return Workload(f"of {pid}", lambda: nullcontext(Aim(pid=pid)), SPLIT)

    stacks = [
        replace(stack(text, count=count), pid=pid)
        for pid, text, count in ((7, "main;serve;ten", 3), (8, "main;ten", 2), (9, "main", 1))
    ]
    stats = {"samples": {"lost": 0}, "counters": {}}
    profiled: list[int] = []

    def record(pids: list[int], *, work: float) -> Recorded:
        assert work > 0
        profiled.extend(pids)
        return Recorded("{}", stats, "")

    monkeypatch.setattr(measure, "record_each", record)
    monkeypatch.setattr(measure, "read", lambda _: stacks)
    rows = measure.measure_together([workload(7), workload(8)])
    assert [(row.workload, row.samples, row.right) for row in rows] == [
        ("of 7", 3, 3),
        ("of 8", 2, 0),
    ]
    assert profiled == [7, 8]


def test_every_sample_with_a_user_stack_is_judged() -> None:
    workload = Workload("split", program("split"), SPLIT)
    loss = next(counter.name for counter in ALL_COUNTERS if counter.is_loss)
    stacks = [
        stack("main;serve;ten", count=7),
        stack("main;ten", count=2),
        stack("main;serve;ten", stop="no_row"),
        Stack("demo", (), "no_user_stack", 5),
    ]
    stats = {"samples": {"lost": 3}, "counters": {loss: 3, "deferred": 4}}
    row = judge(Row("split", "6.1", 0.995), workload, stacks, stats)
    assert (row.samples, row.complete, row.right, row.lost) == (10, 9, 7, 3)
    assert row.stops == {"complete": 9, "no_user_stack": 5, "no_row": 1}
    assert row.losses == {loss: 3}
    assert row.wrong[0] == f"2 x complete: demo;{START};main;ten"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW, ""),
        (replace(ROW, right=995), ""),
        (replace(ROW, right=994), "994 of 1000 stacks are right: the bar is 99.5%"),
        (replace(ROW, samples=SOME - 1), "49 samples say nothing"),
        (replace(ROW, lost=2), "2 samples are lost, and no counter says why"),
        (replace(ROW, lost=2, losses={"ring_full": 2}), ""),
        (replace(ROW, lost=2, losses={"ring_full": 1}), "2 samples are lost"),
        (Row("Java", "6.1", 0.98, absent="no JDK"), ""),
        (Row("Java", "6.1", 0.98, failure="it did not start"), "it did not start"),
    ],
)
def test_when_a_bar_is_missed(row: Row, said: str) -> None:
    assert row.missed.startswith(said)
    assert bool(row.missed) == bool(said)


def test_the_table_is_aligned_and_has_no_blank_cell() -> None:
    rows = [
        replace(ROW, right=999, lost=2, losses={"ring_full": 2}),
        Row("Java", "6.1", 0.98, absent="no JDK"),
        Row("Rust", "7.2", 0.995, failure="no boot"),
        Row("idle", "6.1", 0.995),
    ]
    assert list(report.table(rows)) == [
        "workload  kernel  samples  complete %  right %  bar %             lost  stops",
        "split     6.1        1000      100.00    99.90  99.50  2 (ring_full 2)  complete 1000",
        "Java      6.1           -           -        -  98.00                -  not here: no JDK",
        "Rust      7.2           -           -        -  99.50                -  failed: no boot",
        "idle      6.1           0           -        -  99.50                0  none",
    ]
    assert list(report.misses(rows[:2])) == []
    assert list(report.misses([replace(ROW, right=1, wrong=["999 x no_row: demo;f"])])) == [
        "MISSED split under 6.1: 1 of 1000 stacks are right: the bar is 99.5%",
        "    999 x no_row: demo;f",
    ]


def test_rows_come_out_of_a_machine_among_other_lines() -> None:
    line = '{"workload": "split", "kernel": "6.1", "bar": 0.995, "samples": 9, "complete": 8}\n'
    assert row_in(line) == Row("split", "6.1", 0.995, 9, 8)
    assert row_in("==> Linux 6.1") is None
    assert row_in('{"workload": "split", "ker') is None
    assert row_in('{"workload": "split", "unknown": 1}') is None


def test_an_interrupted_proof_goes_on_where_it_was(tmp_path: Path) -> None:
    Kept("6.1", tmp_path).keep(ROW)
    assert Kept("6.1", tmp_path).find("split") == ROW
    assert Kept("6.1", tmp_path).find("Java") is None
    assert Kept("6.12", tmp_path).find("split") is None


def test_workloads_have_names_of_their_own_and_a_place_in_the_documentation() -> None:
    names = [workload.name for workload in all_workloads()]
    assert len(names) == len(set(names))
    text = DOCS.read_text()
    assert [name for name in families() if f"## `{name}`" not in text] == []
    assert [name for name in names if f"\n{name} " not in text] == []
