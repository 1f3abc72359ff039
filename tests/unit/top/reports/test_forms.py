from __future__ import annotations

import json

import pytest

from ebprof.bpf.events import Rate
from ebprof.model import samples_of
from ebprof.sampling.source import Sampled
from ebprof.top.monitor import Status
from ebprof.top.reports.forms import JsonForm, TextForm
from ebprof.top.reports.frame import Subject
from ebprof.top.table import HotTable
from tests.builders import HOSTILE, stack
from tests.hot import table

CYCLES = Sampled("cycles", Rate(99, 0), "nanoseconds", 10_101_010)
FAULTS = Sampled("page-faults", Rate(0, 500), "count", 500)
SUBJECT = Subject("PID 7", CYCLES, is_one_process=True, cpus=2)
STATUS = Status(5.0, 4, 0.75, 2, {"no_row": 1}, 0.01, 0.001, is_waiting=False)
TIME = 1_700_000_000.1234


def made() -> HotTable:
    return table(
        stack("main;f(int, char)", 3, pid=7, comm="my web"), stack("main", pid=8, comm="db")
    )


def text(samples: HotTable, by: str = "function", most: int | None = None) -> list[str]:
    samples.choose(by)
    report = samples.report(samples.order(), 0, most)
    return TextForm(SUBJECT, by).report(report, STATUS, TIME).split("\n")


def test_a_table_an_interval() -> None:
    lines = text(made(), most=1)
    assert lines[0][8:] == (
        "  4 samples of PID 7 (cycles at 99 Hz, 1.0 s), 4 samples/s, 0.04 cores of 2, "
        "75.0 % complete, lost 2, no_row 1, 1 rows not shown"
    )
    assert lines[1].split() == [
        "SELF%", "TOTAL%", "SAMPLES", "%CPU", "PID", "PROCESS", "MODULE", "FUNCTION"
    ]  # fmt: skip
    assert lines[2].split(maxsplit=7) == [
        "75.0", "75.0", "3", "3.0", "7", "my_web", "demo", "f(int, char)"
    ]  # fmt: skip
    assert lines[3:] == ["", ""]


@pytest.mark.parametrize(
    ("sampled", "pace"),
    [
        (FAULTS, "(page-faults, one each 500, 1.0 s), 2,000 events/s, "),
        (Sampled("cs", Rate(), "count", 1), "(cs, 1.0 s), 4 events/s, "),
        (Sampled("cache-misses", Rate(99, 0), "count", 0), "(cache-misses at 99 Hz, 1.0 s), 4 s"),
        (Sampled("cpu-clock", Rate(0, 9000), "nanoseconds", 9000), ", one each 9,000, 1.0 s), 4 s"),
    ],
)
def test_events_are_counted_where_their_number_is_known(sampled: Sampled, pace: str) -> None:
    samples = made()
    form = TextForm(Subject("PID 7", sampled, is_one_process=True), "function")
    assert pace in form.report(samples.report(samples.order()), STATUS, TIME)


def test_columns_of_other_pivots() -> None:
    assert text(made(), "process")[1].split()[3:] == ["%CPU", "PID", "PROCESS"]
    assert text(made(), "process")[2].split()[3:] == ["3.0", "7", "my", "web"]
    lines = text(made(), "module")
    assert lines[1].split()[3:] == ["%CPU", "PID", "PROCESS", "MODULE"]
    assert lines[2].split() == ["100.0", "100.0", "4", "4.0", "*", "*", "demo"]
    lines = text(table(stack("f", 3, pid=7, tid=8, comm="io")), "thread")
    assert lines[1].split()[4:] == ["PID", "TID", "PROCESS", "THREAD"]
    assert lines[2].split()[4:] == ["7", "8", "io", "io"]


def test_what_is_no_cpu_time_has_none() -> None:
    samples = made()
    form = TextForm(Subject("PID 7", FAULTS, is_one_process=True), "function")
    lines = form.report(samples.report(samples.order()), STATUS, TIME).split("\n")
    assert "cores" not in lines[0] and "%CPU" not in lines[1]


def test_ebprof_itself_stands_apart() -> None:
    samples = made()
    samples.add(samples_of([]), 1.0, 19)
    assert "lost 2, ebprof's own 19 apart, no_row 1" in text(samples)[0]
    report = samples.report(samples.order())
    line = json.loads(JsonForm(SUBJECT, "function").report(report, STATUS, TIME))
    assert (line["samples"], line["own_samples"]) == (4, 19)


def test_names_of_others_move_no_cursor() -> None:
    lines = text(table(stack("x", comm="\x1b[2J"), stack("_".join(HOSTILE.split(";")))))
    assert all(line.isprintable() for line in lines)


def test_an_object_an_interval() -> None:
    samples = made()
    report = samples.report(samples.order(), 0, 1)
    line = JsonForm(SUBJECT, "function").report(report, STATUS, TIME)
    assert line.count("\n") == 1 and line.endswith("\n")
    assert json.loads(line) == {
        "time": 1_700_000_000.123,
        "interval_s": 1.0,
        "event": "cycles",
        "frequency": 99,
        "unit": "nanoseconds",
        "period": 10_101_010,
        "samples": 4,
        "cores": 0.0404,
        "cpus": 2,
        "own_samples": 0,
        "complete_share": 0.75,
        "lost": 2,
        "stop": {"no_row": 1},
        "by": "function",
        "hidden": 1,
        "rows": [
            {
                "name": "f(int, char)",
                "module": "demo",
                "pid": 7,
                "tid": None,
                "process": "my web",
                "self": 3,
                "total": 3,
                "cores": 0.0303,
            }
        ],
    }
