"""How much was sampled when: the line above a table, the bars of a page, and what to compare."""

from __future__ import annotations

import io
import json
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from ebprof import cli
from ebprof.model import Profile, SampleType
from ebprof.output import Look, flamegraph, pprof, read_profile, styled, table, write_file
from ebprof.output._slices import MOST_POINTS, jump_of, line, load_of, proposal
from tests.builders import profile, stack

SECOND = 10**9
Capture = pytest.CaptureFixture[str]


def sliced(counts: list[int], slice_ns: int = SECOND, **fields: object) -> Profile:
    """A profile with so many samples in each slice."""
    samples = [stack("f", n, time_ns=at * slice_ns) for at, n in enumerate(counts) if n]
    return profile(
        *samples, **({"slice_ns": slice_ns, "duration_ns": len(counts) * slice_ns} | fields)
    )


STEP = [12] * 40 + [58] * 20


def test_a_line_with_the_length_and_the_most() -> None:
    found = line(sliced(STEP), 200, "utf-8")
    assert found == f"{'▂' * 40}{'█' * 20}  60s, at most 58 samples in 1s"


def test_slices_without_samples_are_blank_and_few_are_seen() -> None:
    assert line(sliced([0, 1, 800, 0]), 200, "utf-8").startswith(" ▁█   4s, ")


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
def test_it_fits(width: int) -> None:
    found = line(sliced(STEP * 20), width, "utf-8")
    cells = found.index("  1,200s")
    blocks, told = found[:cells], found[cells:]
    assert cells == min(60, max(8, width - len(told)))
    assert not blocks.startswith(" ") and set(blocks) <= set("▁▂▃▄▅▆▇█")


def test_it_is_ascii_where_blocks_cannot_be_shown() -> None:
    found = line(sliced([1, 5, 9]), 80, "ascii")
    assert found == "_=#  3s, at most 9 samples in 1s"
    assert line(sliced([1, 5, 9]), 80, "no such encoding") == found
    assert line(sliced([1, 5, 9]), 80, "cp437").isascii()


def test_many_slices_become_few_points() -> None:
    load = load_of(sliced([1] * (MOST_POINTS + 1), SECOND // 4))
    assert load is not None
    assert (load.step_ns, load.slices, len(load.counts)) == (SECOND // 2, 2, MOST_POINTS // 2 + 1)
    assert load.counts.tolist() == [2] * (MOST_POINTS // 2) + [1]


def test_a_long_recording_takes_no_more() -> None:
    far = profile(stack("f", time_ns=0), stack("f", 3, time_ns=2**62), slice_ns=10**7)
    load = load_of(far)
    assert load is not None
    assert len(load.counts) <= MOST_POINTS and load.counts.sum() == 4


@pytest.mark.parametrize(
    "one",
    [
        profile("f"),
        profile(stack("f", time_ns=0), slice_ns=SECOND, duration_ns=SECOND),
        profile("f", slice_ns=SECOND),
        profile(stack("f", time_ns=5)),
        profile(slice_ns=SECOND),
    ],
    ids=("plain", "one_slice", "no_times", "no_length", "empty"),
)
def test_without_slices_there_is_nothing(one: Profile) -> None:
    assert load_of(one) is None
    assert line(one, 80, "utf-8") == proposal(one, "x.pb.gz") == ""


def test_values_of_a_sample_type_have_their_unit() -> None:
    types = (SampleType("alloc_space", "bytes"),)
    one = sliced([1 << 20, 3 << 20], sample_types=types)
    assert line(one, 80, "utf-8") == "▃█  2s, at most 3MB in 1s"
    assert proposal(one, "x") == "", "nobody knows what chance makes of them"


def test_the_jump_is_found_with_windows_as_long_as_it_lasts() -> None:
    load = load_of(sliced(STEP))
    assert load is not None
    jump = jump_of(load)
    assert jump is not None
    assert [one // SECOND for one in (jump.start_ns, jump.at_ns, jump.stop_ns)] == [20, 40, 60]
    assert (jump.before, jump.after) == (12, 58)


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ([20] * 30 + [90] * 10 + [20] * 30, (20, 30, 40)),
        ([90] * 30 + [20] * 10 + [90] * 30, (20, 30, 40)),
        ([58] * 10 + [12] * 10, (0, 10, 20)),
        ([0] * 5 + [40] * 5, (0, 5, 10)),
    ],
    ids=("peak", "gap", "fall", "begin"),
)
def test_jumps_of_other_forms(counts: list[int], wanted: tuple[int, ...]) -> None:
    load = load_of(sliced(counts))
    assert load is not None
    jump = jump_of(load)
    assert jump is not None
    assert (jump.start_ns, jump.at_ns, jump.stop_ns) == tuple(one * SECOND for one in wanted)


def test_chance_is_no_jump() -> None:
    chance = np.random.default_rng(7)
    for mean in (1, 10, 100, 1000):
        for _ in range(20):
            load = load_of(sliced([*map(int, chance.poisson(mean, 120))]))
            assert load is not None
            assert jump_of(load) is None


def test_the_last_slice_is_not_whole() -> None:
    """It has fewer samples as it is shorter."""
    assert proposal(sliced([100, 100, 100, 3], duration_ns=3 * SECOND + 1), "x") == ""
    assert proposal(sliced([100, 100, 3, 3]), "x") != ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x.pb.gz", "x.pb.gz@20s-40s x.pb.gz@40s-60s"),
        ("my x@1.gz", "'my x@1.gz@20s-40s' 'my x@1.gz@40s-60s'"),
        ("-", "FILE@20s-40s FILE@40s-60s"),
    ],
)
def test_what_is_proposed_can_be_copied(path: str, words: str) -> None:
    assert proposal(sliced(STEP), path) == (
        f"largest jump at 40s (12 to 58 samples a slice): ebprof diff {words}"
    )
    assert proposal(sliced(STEP), "http://host/x") == ""


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    chance = random.Random(3)
    counts = [chance.randint(8, 14) for _ in range(40)] + [chance.randint(50, 60) for _ in range(9)]
    write_file(sliced(counts, SECOND // 4), pprof, "x.pb.gz")
    return "x.pb.gz"


def test_a_window_of_a_window_counts_from_the_start_of_the_recording(saved: str) -> None:
    path = f"{saved}@8.1s-11.5s"
    found = proposal(read_profile(path), path)
    assert found.endswith(f"ebprof diff {saved}@8.5s-10s {saved}@10s-11.5s")


def test_report_says_it_and_diff_takes_it(saved: str, capsys: Capture) -> None:
    code, out, err = run(capsys, "report", saved, "-f", "table")
    assert code == 0
    assert re.search(r"^[▁-█]{49}  12.2s, at most 59 samples in 0.25s$", out, re.M)
    command = err.strip().rpartition("ebprof diff ")[2].split()
    assert command == [f"{saved}@7.75s-10s", f"{saved}@10s-12.25s"]
    code, out, err = run(capsys, "diff", *command, "-f", "json")
    found = json.loads(out)
    assert found["b"]["samples"] > 4 * found["a"]["samples"]


def test_what_programs_read_has_no_hint(saved: str, capsys: Capture) -> None:
    assert run(capsys, "report", saved, "-f", "folded") == (0, "demo;f 941\n", "")


def run(capsys: Capture, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([*words])
    return int(ended.value.code or 0), *capsys.readouterr()


def test_a_table_in_a_file_is_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    file, stdout = io.BytesIO(), io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    for target in (file, stdout.buffer):
        styled(table, Look(width=80)).write(sliced([1, 9]), target)
    assert "▁█  2s" in file.getvalue().decode()
    assert b"_#  2s" in stdout.buffer.getvalue()


def test_a_page_has_its_points() -> None:
    file = io.BytesIO()
    flamegraph.write(sliced([3, 0, 5]), file)
    match = re.search(r'"load":(\{[^}]*\})', file.getvalue().decode())
    assert match is not None
    wanted = {"step_ns": SECOND, "end_ns": 3 * SECOND, "counts": [3, 0, 5]}
    assert json.loads(match[1]) == wanted
