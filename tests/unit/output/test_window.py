"""Windows of time of a saved profile: what `FILE@START-STOP` is, and what is in it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebprof import output
from ebprof.errors import BadFileError, UsageError
from ebprof.model import Profile, samples_of
from ebprof.output import _files, _window, flamegraph, folded, pprof, speedscope, svg, table
from ebprof.output._window import Window, select, split
from tests.builders import profile, stack
from tests.unit.output.written import written

S = 10**9
START = 1_700_000_000 * S


def sliced(*slices: str, slice_ns: int = S, **fields: Any) -> Profile:
    """A profile with stacks separated by spaces in each slice."""
    samples = [
        stack(text, time_ns=number * slice_ns)
        for number, texts in enumerate(slices)
        for text in texts.split()
    ]
    values = {"slice_ns": slice_ns, "time_ns": START, "duration_ns": len(slices) * slice_ns}
    return profile(*samples, **(values | fields))


FOUR = sliced("main;f", "main;f main;g", "main;g", "main;g")


def functions(one: Profile) -> list[str]:
    return [sample.locations[0].frames[0].function for sample in one.samples]


def window(text: str) -> Window:
    found = split(f"no such file@{text}")[1]
    assert found is not None
    return found


# ---- names ------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to be in, with FOUR in `x`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(written(pprof, FOUR))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "start_ns", "stop_ns"),
    [
        ("0s-30s", 0, 30 * S),
        ("0-30", 0, 30 * S),
        ("30s-", 30 * S, None),
        ("-30s", 0, 30 * S),
        ("500ms-1.5", S // 2, 3 * S // 2),
        ("1m-1h", 60 * S, 3600 * S),
        ("0.1-0.3", S // 10, 3 * S // 10),
    ],
)
@pytest.mark.parametrize("file", ["x", "missing", "-", "a@b"])
def test_a_window_stands_behind_the_name(
    file: str, text: str, start_ns: int, stop_ns: int | None, saved: Path
) -> None:
    assert split(f"{file}@{text}") == (file, Window(start_ns, stop_ns))


@pytest.mark.parametrize("name", ["-", "x", "missing", "user@host", "missing@2024-01-02.pb.gz"])
def test_other_names_are_whole(name: str, saved: Path) -> None:
    assert split(name) == (name, None)


def test_a_file_of_the_whole_name_comes_first(saved: Path) -> None:
    (saved / "x@0s-1s").write_text("demo;whole 5\n")
    assert output.read_profile("x@0s-1s").total == 5
    assert split("x@0s-1s@0s-2s") == ("x@0s-1s", Window(0, 2 * S))


@pytest.mark.parametrize(
    "text", ["", "-", "1", "1s", "a-b", "1-x", "x-1", "1-2-3", "1d-2d", "1e9-"]
)
def test_what_is_no_window_of_a_file_that_is_there(text: str, saved: Path) -> None:
    with pytest.raises(UsageError) as caught:
        split(f"x@{text}")
    assert caught.value.message == f"cannot read window {text!r} of x"
    assert "@0s-30s" in caught.value.hint


@pytest.mark.parametrize("text", ["2s-1s", "1s-1s", "0-0"])
def test_a_window_does_not_end_before_it_begins(text: str, saved: Path) -> None:
    with pytest.raises(UsageError, match=f"the window {text} ends before it begins"):
        split(f"x@{text}")


def test_errors_name_the_file_without_the_window(saved: Path) -> None:
    with pytest.raises(BadFileError, match=r"^cannot read missing: no such file"):
        output.read_profile("missing@0s-1s")
    (saved / "bad").write_text("main;f twelve\n")
    with pytest.raises(BadFileError, match=r"^bad: line 1 "):
        output.read_profile("bad@0s-1s")


def test_a_file_is_read_once_for_all_its_windows(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, paths = _files._read, []
    monkeypatch.setattr(_files, "_read", lambda path, how: (paths.append(path), read(path, how))[1])
    first, second, whole = output.read_profiles("x@0s-1s", "x@1s-", "x")
    assert (first.total, second.total, whole) == (1, 4, FOUR)
    assert paths == ["x"]


# ---- what is in it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0s-1s", ["f"]),
        ("1s-2s", ["f", "g"]),
        ("2s-", ["g", "g"]),
        ("-2s", ["f", "f", "g"]),
        ("0s-1h", ["f", "f", "g", "g", "g"]),
    ],
)
def test_a_window_has_the_slices_that_begin_in_it(text: str, found: list[str]) -> None:
    assert functions(select(FOUR, window(text), "x")) == found


def test_a_window_is_a_run_of_its_own() -> None:
    part = select(FOUR, window("1s-3s"), "x")
    assert (part.time_ns, part.duration_ns) == (START + S, 2 * S)
    assert [sample.time_ns for sample in part.samples] == [0, 0, S]
    assert functions(select(part, window("1s-2s"), "x")) == ["g"]


def test_borders_move_to_the_next_slice() -> None:
    part = select(FOUR, window("0.5s-1.5s"), "x")
    assert (functions(part), part.time_ns - START, part.duration_ns) == (["f", "g"], S, S)


def test_a_window_ends_with_the_run() -> None:
    shorter = replace(FOUR, duration_ns=3_600_000_000)
    assert select(shorter, window("3s-30s"), "x").duration_ns == 600_000_000


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), min_size=1),
    st.lists(st.integers(1, 4500).map(lambda ms: ms * 10**6), max_size=4),
)
def test_windows_that_follow_one_another_have_each_sample_once(
    counts: list[tuple[int, int]], cuts: list[int]
) -> None:
    samples = [stack("main", count, time_ns=number * S // 10) for number, count in counts]
    whole = profile(*samples, slice_ns=S // 10, time_ns=START, duration_ns=41 * S // 10)
    borders = [0, *sorted(set(cuts))]
    total = duration = 0
    for start, stop in zip(borders, [*borders[1:], None], strict=True):
        try:
            part = select(whole, Window(start, stop), "x")
        except UsageError:
            continue
        total += part.total
        duration += part.duration_ns
        assert part.time_ns + part.duration_ns <= START + whole.duration_ns
    assert total == whole.total
    assert duration <= whole.duration_ns


@pytest.mark.parametrize(
    ("one", "text", "message", "hint"),
    [
        (FOUR, "4s-5s", "x has no samples in 4s-5s", "it goes from 0s to 4.0s in slices of 1s"),
        (FOUR, "1h-", "x has no samples in 3600s-", "it goes from 0s to 4.0s in slices of 1s"),
        (FOUR, "0.2-0.3", "x has no samples in 0.2s-0.3s", "it goes from 0s to 4.0s in slices"),
        (sliced("f", "", "f"), "1s-2s", "x has no samples in 1s-2s", "it goes from 0s to 3.0s"),
        (profile("f"), "0s-1s", "x does not say when its samples were taken", "--slice 1s"),
        (profile(), "0s-1s", "x does not say when its samples were taken", "--slice 1s"),
    ],
)
def test_a_window_without_samples(one: Profile, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(one, window(text), "x")
    assert caught.value.message == message
    assert hint in caught.value.hint


HUGE = 2**63 - 1


@example([HUGE], 0, 0, 0, 0, None)
@given(
    st.lists(st.none() | st.integers(0, HUGE), max_size=5),
    st.integers(0, 10**18 - 1),  # 18 digits are read
    st.integers(0, HUGE),
    st.integers(0, HUGE),
    st.integers(0, HUGE),
    st.none() | st.integers(1, HUGE),
)
def test_whatever_a_file_says_what_is_selected_can_be_written(
    times: list[int | None],
    slice_ns: int,
    began: int,
    duration: int,
    start: int,
    length: int | None,
) -> None:
    samples = [stack("main;f", time_ns=time) for time in times]
    one = profile(*samples, slice_ns=slice_ns, time_ns=began, duration_ns=duration)
    try:
        part = select(one, Window(start, None if length is None else start + length), "x")
    except UsageError as error:
        assert "\n" not in error.message + error.hint
        return
    assert pprof.read(io.BytesIO(written(pprof, part))) == part


# ---- formats without times --------------------------------------------------------------------


@pytest.mark.parametrize("form", [flamegraph, folded, speedscope, svg, table])
def test_formats_without_times_add_up_over_time(form: ModuleType) -> None:
    one = sliced("main;f main;g_[i]", "main;g_[i] main;f", "main;f")
    samples = samples_of((stack("main;f", 3), stack("main;g_[i]", 2)))
    bare = written(form, replace(one, samples=samples, slice_ns=0))
    assert _without_load(written(form, one)) == bare
    assert not getattr(form, "KEEPS_TIMES", False)


def _without_load(data: bytes) -> bytes:
    """Without what a table and a page say of the load over time."""
    text = re.sub(r'"load":\{[^}]*\},', "", data.decode())
    return re.sub(r"^[▁-█ ]+  [0-9.]+s, at most .*\n", "", text, flags=re.MULTILINE).encode()


def test_a_profile_without_times_stays_as_it_is() -> None:
    one = profile("main;f", "main;f")
    assert _window.without_times(one) is one
