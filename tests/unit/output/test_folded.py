from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.errors import BadFileError
from ebprof.model import Profile, Sample
from ebprof.output import folded
from tests.builders import HOSTILE, example, profile, stack
from tests.unit.output.written import profiles, written

# Debian: libdevel-nytprof-perl ships Brendan Gregg's script.
FLAMEGRAPH = shutil.which("flamegraph.pl") or "/usr/share/perl5/Devel/NYTProf/flamegraph.pl"


def lines(*samples: Sample) -> list[str]:
    return written(folded, profile(*samples)).decode().splitlines()


def read(text: bytes) -> list[tuple[str, str, int]]:
    """Comm, root-first stack (kernel frames marked) and count of each sample read."""
    return [
        (
            sample.comm,
            ";".join(
                one.frames[0].function + ("_[k]" if one.is_kernel else "")
                for one in reversed(sample.locations)
            ),
            sample.count,
        )
        for sample in folded.read(io.BytesIO(text)).samples
    ]


def test_golden(check_golden: Callable[[str, bytes], None]) -> None:
    check_golden("example.folded", written(folded, example()))


def test_stack_is_written_root_first() -> None:
    assert lines(stack("main;f;g", 3)) == ["demo;main;f;g 3"]


def test_inlined_calls_are_frames() -> None:
    assert lines(stack("main;f;g_[i]")) == ["demo;main;f;g 1"]


def test_kernel_frames_are_marked() -> None:
    assert lines(stack("main;read_[k];copy_[k]")) == ["demo;main;read_[k];copy_[k] 1"]


def test_equal_stacks_are_merged_over_threads_and_processes() -> None:
    assert lines(stack("main", 2), stack("main", 3, tid=9), stack("main", 4, pid=8)) == [
        "demo;main 9"
    ]


def test_lines_are_sorted() -> None:
    assert lines(stack("b"), stack("a", comm="x"), stack("a")) == ["demo;a 1", "demo;b 1", "x;a 1"]


def test_hostile_names_stay_one_line() -> None:
    (line,) = lines(stack("main", comm=HOSTILE))
    assert line.count(";") == 1
    assert line.isprintable()


def test_empty_comm_and_empty_stack() -> None:
    assert lines(stack("", comm="")) == ["[unknown] 1"]


def test_no_samples_is_an_empty_file() -> None:
    assert written(folded, profile()) == b""


def test_read() -> None:
    assert read(b"demo;main;f 3\n\ndemo;main;sys_[k] 4\r\n") == [
        ("demo", "main;f", 3),
        ("demo", "main;sys_[k]", 4),
    ]


def test_read_names_with_spaces() -> None:
    assert read(b"Web Content;f(int, char);g 7\n") == [("Web Content", "f(int, char);g", 7)]


def test_read_takes_bytes_that_are_not_utf8() -> None:
    assert read(b"demo;\xff 1\n") == [("demo", "\ufffd", 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\nmain;f\n", "line 2 is no folded stack: it does not end in a count"),
        (b"main 1e-10\n", "line 1 is no folded stack: it does not end in a count"),
        (b"a;b 3 5\n", "it has two counts a line, so it is a comparison already"),
        (b"a 9223372036854775807\na 1", "the counts add up to more than fits into 63 bits"),
        (b"main -1\n", "line 1 is no folded stack: it does not end in a count"),
        (b"12\n", "line 1 is no folded stack: it does not end in a count"),
        ("main ²\n".encode(), "line 1 is no folded stack: it does not end in a count"),
        (b"main 9223372036854775808\n", "line 1: the count does not fit into 63 bits"),
        (b"main " + b"9" * 5000, "line 1: the count does not fit into 63 bits"),
        (b"a;" * 70_000 + b"b 1", "line 1: more than 65536 frames"),
    ],
)
def test_read_refuses(text: bytes, message: str) -> None:
    with pytest.raises(BadFileError) as caught:
        folded.read(io.BytesIO(text))
    assert caught.value.message == message


@given(st.binary(max_size=200) | st.text("abc;_[k] 019\n\r", max_size=80).map(str.encode))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    try:
        folded.read(io.BytesIO(data))
    except BadFileError as error:
        assert error.message.isprintable()


@given(profiles())
def test_what_is_read_back_is_written_the_same(any_profile: Profile) -> None:
    first = written(folded, any_profile)
    assert written(folded, folded.read(io.BytesIO(first))) == first


@pytest.mark.skipif(
    not Path(FLAMEGRAPH).exists() or not shutil.which("perl"),
    reason="needs flamegraph.pl (Debian: libdevel-nytprof-perl)",
)
def test_flamegraph_pl_draws_every_function() -> None:
    picture = subprocess.run(
        ["perl", FLAMEGRAPH, "--minwidth=0", "--hash"],
        input=written(folded, example()),
        capture_output=True,
        check=True,
    )
    assert not picture.stderr
    svg = ElementTree.fromstring(picture.stdout)
    titles = [title.text or "" for title in svg.iter("{http://www.w3.org/2000/svg}title")]
    shown = {m[1]: int(m[2]) for t in titles if (m := re.match(r"(.*) \((\d+) samples", t))}
    assert shown["all"] == example().total
    assert shown["fft(float)(float const*)"] == 160  # the script's way with < and >
    assert shown["copy_user_[k]"] == 55
    assert shown["step"] == 220
