"""Folded stacks of other programs: all that flamegraph.pl reads, and what is no process."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ebprof.errors import BadFileError
from ebprof.model import Profile
from ebprof.output import _rank, flamegraph, folded, pprof, speedscope, svg, table
from ebprof.output import json as json_format
from ebprof.output._folded_decode import without_comms
from tests.builders import profile, stack
from tests.unit.output.test_folded import FLAMEGRAPH
from tests.unit.output.written import written

needs_flamegraph = pytest.mark.skipif(
    not Path(FLAMEGRAPH).exists() or not shutil.which("perl"),
    reason="needs flamegraph.pl (Debian: libdevel-nytprof-perl)",
)

ODD = {
    "byte order mark": b"\xef\xbb\xbfmain;f 5\nmain;g 7\n",
    "tabs": b"main;f\t5\nmain;g \t7\n",
    "line ends": b"main;f 5\r\nmain;g 7\r\n",
    "no last line end": b"main;f 5\nmain;g 7",
    "comments": b"# made by hand\nmain;f 5\n#\nmain;g 7\n",
    "blank lines": b"\n  \nmain;f 5\n\nmain;g 7\n\n",
    "exponents": b"main;f 5\nmain;h 1e-10\nmain;g 7\n",
    "decimals": b"main;f 4.5\nmain;g 7.5\n",
    "decimals without digits": b"main;f 5.\nmain;g 7.0\n",
    "empty stacks": b" 5\nmain;f 7\n",
    "empty frames": b"main;;f 5\n;main;g 3\nmain; 4\n",
    "escapes": b"main;\x1b[31mf 5\nmain;g 7\n",
    "not UTF-8": b"main;caf\xe9 5\nmain;g 7\n",
    "negative": b"main;f 5\nmain;h -3\nmain;g 7\n",
    "no counts": b"main;f 5\nmain;h\nno stack at all\nmain;g 7\n",
    "names with numbers": b"main;f(int) 5\nmain;operator 3;g 7\n",
    "names with #": b"#tick;#tock 5\n#tick 7\n",
}


def read(text: bytes) -> Profile:
    return folded.read(io.BytesIO(text))


def functions(one: Profile) -> dict[str, int]:
    """Samples by the function that ran, as the table has them."""
    return {row.name: row.own for row in _rank.rank(one) if row.own}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_read(name: str) -> None:
    assert folded.recognizes(ODD[name])
    taken = read(ODD[name])
    assert taken.total == (120 if taken.subject.unit == "count/10" else 12)
    assert sum(functions(taken).values()) == taken.total


@needs_flamegraph
@pytest.mark.parametrize("name", sorted({*ODD} - {"line ends"}))  # which the script does not read
def test_totals_are_those_of_flamegraph_pl(name: str) -> None:
    drawn = subprocess.run(["perl", FLAMEGRAPH], input=ODD[name], capture_output=True, check=True)
    (total,) = re.findall(rb"<title>(?:all )?\(([0-9,.]+) samples, 100%\)", drawn.stdout)
    assert total == b"12"


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert {one.comm for one in read(ODD["byte order mark"]).samples} == {"main"}


def test_a_byte_order_mark_is_not_written() -> None:
    taken = read(b"main;f 5\n\xef\xbb\xbfmain;g 7\n")
    assert written(folded, taken).decode() == "?main;g 7\nmain;f 5\n"


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read(order: str) -> None:
    data = "\ufeffmain;é 5\r\nmain;g 7\r\n".encode(order)
    assert folded.recognizes(data)
    assert functions(read(data)) == {"é": 5, "g": 7}


def test_decimals_are_kept() -> None:
    taken = read(b"main;f 4.5\nmain;g 7.25\nmain;g 0.0000019\n")
    assert taken.total == 11_750_001
    assert written(folded, taken) == b"main;f 4.500000\nmain;g 7.250001\n"
    assert re.search(r"61\.70% +61\.70% +7\.25 +g", written(table, taken).decode())
    assert b'"weights":[4.5,7.25,1e-06]' in written(speedscope, taken)
    assert "4.50 samples" in written(svg, taken).decode()


def test_the_table_does_not_say_samples_of_samples() -> None:
    assert written(table, read(b"main;f 4\n")).endswith(b"\n4 samples\n")
    assert written(table, read(b"main;f 4.25\n")).endswith(b"\n4.25 samples\n")


def test_decimals_survive_in_pprof() -> None:
    taken = read(b"main;f 4.5\nmain;g 7.25\n")
    again = pprof.read(io.BytesIO(written(pprof, taken)))
    assert written(folded, again) == b"main;f 4.50\nmain;g 7.25\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("exponents", "1 of 3 lines cannot be read; line 2 is no folded stack"),
        ("no counts", "2 of 4 lines cannot be read; line 2 is no folded stack"),
        ("comments", None),
        ("blank lines", None),
        ("empty stacks", None),
    ],
)
def test_what_cannot_be_read_is_told_of(name: str, said: str | None) -> None:
    warnings = read(ODD[name]).warnings
    assert [one[: len(said or "")] for one in warnings] == ([said] if said else [])


def test_lines_with_two_counts_make_no_frame_of_the_first() -> None:
    taken = read(b"a;b 3 5\na;c 4\n")
    assert functions(taken) == {"c": 4}
    assert taken.warnings == (
        "1 of 2 lines cannot be read; line 1 is no folded stack: it has two counts",
    )


def test_a_name_that_ends_in_a_number_is_not_written_as_a_count() -> None:
    assert written(folded, profile(stack("main;worker 3", 5))) == b"demo;main;worker_3 5\n"
    assert written(folded, profile(stack("", 5, comm="worker 3"))) == b"worker_3 5\n"


def test_an_escape_reaches_no_terminal() -> None:
    taken = read(ODD["escapes"])
    for form in (folded, table, svg, flamegraph, speedscope, json_format):
        assert b"\x1b" not in written(form, taken)


# ---- whether stacks begin with a process ------------------------------------------------------

PYTHON = b"main (a.py:3);f (a.py:9) 12\nidle 30\n"


def test_every_line_counts() -> None:
    assert functions(read(PYTHON)) == {"f (a.py:9)": 12, "idle": 30}
    totals = {row.name: row.total for row in _rank.rank(read(PYTHON))}
    assert totals["main (a.py:3)"] == 12


def test_what_has_no_processes_is_written_as_it_was() -> None:
    assert written(folded, read(PYTHON)) == b"idle 30\nmain (a.py:3);f (a.py:9) 12\n"
    assert b"[unknown]" not in written(svg, read(PYTHON))


@pytest.mark.parametrize(
    "first",
    [
        b"main (a.py:3)",
        b"java/lang/Thread.run",
        b"std::thread::run",
        b"start_thread(void*)",
        b"main()",
        b"<module> (/srv/app.py:1)",
    ],
)
def test_what_is_no_name_of_a_process_is_a_frame(first: bytes) -> None:
    taken = read(first + b";f 2\nmain;g 3\n")
    assert {one.comm for one in taken.samples} == {""}
    assert [len(one.locations) for one in taken.samples] == [2, 2]


@pytest.mark.parametrize(
    "first",
    [b"nginx", b"Web Content", b"(sd-pam)", b"kworker/0:1", b"[unknown]", b"python3.11-77/78"],
)
def test_names_of_processes_are_told(first: bytes) -> None:
    (sample,) = read(first + b";main;f 2\n").samples
    assert sample.comm == first.decode()
    assert len(sample.locations) == 2


def test_a_process_without_a_stack_has_a_row() -> None:
    assert functions(read(b"nginx;main;f 12\nkworker/0:1 30\n")) == {"f": 12, "kworker/0:1": 30}


def test_no_comm_makes_frames_of_names() -> None:
    taken = without_comms(read(b"main;f 12\nidle 30\n"))
    assert written(folded, taken) == b"idle 30\nmain;f 12\n"
    assert functions(taken) == {"f": 12, "idle": 30}


@pytest.mark.parametrize("long", [b"f;" * 60_000 + b"g", b"x" * 5_000_000])
def test_lines_of_any_length(long: bytes) -> None:
    data = b"main;" + long + b" 3\nmain;f 2\n"
    assert folded.recognizes(data)
    assert sum(one.count for one in read(data).samples) == 5


def test_a_line_with_too_many_frames_is_left_out() -> None:
    data = b"main;" + b"f;" * 200_000 + b"g 3\nmain;f 2\n"
    assert folded.recognizes(data)
    assert functions(read(data)) == {"f": 2}


# ---- what is no folded stack ------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"hello world\n",
        b"hello world\n" * 20 + b"it has 12\n",
        b"main;f 5\n\0",
        b"# nothing\n",
        b'{\n"a": [\n1,\n2\n],\n"b": 12\n}\n',
        b"<!DOCTYPE html>\n<p>main;f 5\n",
        bytes(range(256)),
    ],
)
def test_what_is_not_recognized(data: bytes) -> None:
    assert not folded.recognizes(data)


def test_all_lines_unreadable_is_refused() -> None:
    with pytest.raises(BadFileError, match="line 2: more than 65536 frames"):
        read(b"\n" + b"a;" * 70_000 + b"b 1")
