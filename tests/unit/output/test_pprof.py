from __future__ import annotations

import gzip
import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.errors import BadFileError
from ebprof.model import Frame, Label, Location, Mapping, Profile, Sample
from ebprof.output import _pprof_columns, pprof
from ebprof.output._profile_proto import ProfileMessage
from ebprof.output._read import MAX_BYTES
from tests.builders import DEMO, HOSTILE, example, location, profile, stack
from tests.unit.output.built import Built
from tests.unit.output.written import profiles, written

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="needs go (Debian: golang-go)")


def read(data: bytes) -> Profile:
    return pprof.read(io.BytesIO(data))


def message_of(one: Profile) -> Any:
    return ProfileMessage.FromString(gzip.decompress(written(pprof, one)))


def strings(message: Any, numbers: list[int]) -> list[str]:
    return [message.string_table[number].decode() for number in numbers]


def types(message: Any) -> list[list[str]]:
    return [strings(message, [one.type, one.unit]) for one in message.sample_type]


def test_round_trip_of_the_example() -> None:
    named = replace(example(), samples=example().samples[:6])
    assert read(written(pprof, named)) == named


@given(profiles())
def test_round_trip(any_profile: Profile) -> None:
    assert read(written(pprof, any_profile)) == any_profile


def test_surrogates_are_replaced() -> None:
    (sample,) = read(written(pprof, profile(stack("main", comm=HOSTILE)))).samples
    assert sample.comm == HOSTILE.replace("\udc80", "?")


def test_equal_profiles_give_equal_bytes() -> None:
    assert written(pprof, example()) == written(pprof, example())


def test_times_are_labels_and_a_comment_says_how_long_slices_are() -> None:
    samples = stack("main", time_ns=0), stack("main", time_ns=500)
    message = message_of(profile(*samples, slice_ns=500, comments=("ours",)))
    (first, second) = (one.label[-1] for one in message.sample)
    assert strings(message, [first.key, first.num_unit]) == ["time", "nanoseconds"]
    assert (first.num, second.num) == (0, 500)
    assert strings(message, list(message.comment)) == ["ours", "slices of 500 ns"]


def test_a_profile_without_slices_does_not_mention_them() -> None:
    message = message_of(example())
    assert b"time" not in message.string_table
    assert not any(b"slices" in text for text in message.string_table)


def test_sample_types_and_values() -> None:
    message = message_of(profile(stack("main", 3), period=10))
    assert types(message) == [["samples", "count"], ["cpu", "nanoseconds"]]
    assert list(message.sample[0].value) == [3, 30]
    assert strings(message, [message.period_type.type, message.period_type.unit]) == [
        "cpu-clock",
        "nanoseconds",
    ]


def test_other_events_keep_their_name() -> None:
    message = message_of(profile("main", event="cycles", unit="cycles", period=7))
    assert types(message)[1] == ["cycles", "cycles"]


def test_unknown_period_gives_counts_only() -> None:
    assert types(message_of(profile("main", period=0))) == [["samples", "count"]]


def test_values_that_would_overflow_are_capped() -> None:
    message = message_of(profile(stack("main", 2**62), period=2**62))
    assert list(message.sample[0].value) == [2**62, 2**63 - 1]


def test_mapping_says_what_is_known_of_it() -> None:
    known = location("f", "g")
    nameless = Location(1, Mapping("/lib/x.so"), (Frame("[x.so]+0x1"),))
    both = profile(Sample(1, 1, "demo", (known, nameless), "complete", 1))
    first, second = message_of(both).mapping
    assert first.build_id and first.memory_start == DEMO.start
    assert (first.has_functions, first.has_filenames, first.has_line_numbers) == (True, True, True)
    assert first.has_inline_frames
    assert not (second.has_functions or second.has_filenames or second.has_inline_frames)


def test_the_main_binary_is_the_first_mapping() -> None:
    library = Location(1, Mapping("/lib/libc.so.6"), (Frame("start_thread"),))
    sample = stack("main;read_[k]")
    mixed = replace(sample, locations=(library, *sample.locations))
    message = message_of(profile(mixed))
    assert strings(message, [one.filename for one in message.mapping]) == [
        DEMO.path,
        "/lib/libc.so.6",
        "[kernel.kallsyms]",
    ]


# ---- files that are small and say much --------------------------------------------------------


def amplified(lines: int, locations: int, name: str = "f", samples: int = 1) -> bytes:
    """Samples of a location many times, which has a line many times."""
    message = ProfileMessage()
    message.string_table.extend([b"", b"samples", b"count", name.encode()])
    kind = message.sample_type.add()
    kind.type, kind.unit = 1, 2
    function = message.function.add()
    function.id, function.name = 1, 3
    location = message.location.add()
    location.id = 1
    for _ in range(lines):
        location.line.add().function_id = 1
    for _ in range(samples):
        sample = message.sample.add()
        sample.value.append(1)
        sample.location_id.extend([1] * locations)
    return bytes(message.SerializeToString())


def test_a_stack_of_too_many_frames_is_refused() -> None:
    (sample,) = read(amplified(256, 256)).samples
    assert sum(len(one.frames) for one in sample.locations) == 65_536
    with pytest.raises(BadFileError, match="more than 65,536 frames"):
        read(amplified(256, 257))


def test_more_text_than_anybody_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pprof_columns, "MAX_TEXT", 10_000)
    assert read(amplified(10, 10, "ten_chars_", 10)).total == 10
    with pytest.raises(BadFileError, match="stacks"):
        read(amplified(10, 10, "ten_chars_", 11))


def test_long_names_are_cut() -> None:
    (sample,) = read(amplified(1, 1, "x" * 100_000)).samples
    assert sample.locations[0].frames[0].function == "x" * (16 << 10)


# ---- files of other writers -----------------------------------------------------------------


def test_read_perf_to_profile() -> None:
    built = Built(("cycles_sample", "count"), ("cycles_event", "count"))
    built.message.mapping.add(id=9, memory_start=0x400000, filename=built.text("/usr/bin/app"))
    built.message.location.add(id=5, mapping_id=9, address=0x400123)
    labels = built.message.sample.add(location_id=[5], value=[3, 3000]).label
    labels.add(key=built.text("pid"), num=77)
    labels.add(key=built.text("comm"), str=built.text("app"))
    taken = read(built.bytes())
    assert (*taken.subject, taken.total) == ("cycles_event", "count", 3000)
    (sample,) = taken.samples
    assert (sample.pid, sample.tid, sample.comm, sample.stop) == (77, 77, "app", "")
    assert sample.locations[0].frames == (Frame("[app]+0x123"),)


def test_read_without_labels_takes_the_main_binary_for_comm() -> None:
    built = Built(("samples", "count"))
    built.message.mapping.add(id=1, filename=built.text("/usr/bin/server"))
    built.message.sample.add(value=[1])
    assert read(built.bytes()).samples[0].comm == "server"


def test_read_leaves_out_samples_that_count_nothing() -> None:
    built = Built(("alloc_space", "bytes"), ("inuse_space", "bytes"))
    built.message.sample.add(value=[10, 0])
    built.message.sample.add(value=[0, 0])
    assert [sample.values for sample in read(built.bytes()).samples] == [(10, 0)]


def test_labels_of_others_are_kept() -> None:
    built = Built(("samples", "count"))
    labels = built.stack("main;f", 1).label
    labels.add(key=built.text("bytes"), num=-4096, num_unit=built.text("bytes"))
    labels.add(key=built.text("thread_name"), str=built.text("worker 1"))
    labels.add(key=built.text("pid"), str=built.text("no number"))
    labels.add(key=built.text("comm"), num=7)
    labels.add(key=built.text("time"), num=7, num_unit=built.text("seconds"))
    taken = read(built.bytes())
    assert taken.samples[0].labels == (
        Label("bytes", number=-4096, unit="bytes"),
        Label("thread_name", "worker 1"),
        Label("pid", "no number"),
        Label("comm", number=7),
        Label("time", number=7, unit="seconds"),
    )
    assert read(written(pprof, taken)) == taken


@needs_go
def test_go_selects_by_labels_of_others(tmp_path: Path) -> None:
    labelled = stack("main;f", 3, labels=(Label("span", "GET /"), Label("size", "", 4096, "bytes")))
    path = tmp_path / "ours.pb.gz"
    path.write_bytes(written(pprof, profile(labelled, stack("main;g", 5))))
    for focus in ("span=GET", "size=2kb:"):
        top = go_pprof("-top", "-sample_index=samples", f"-tagfocus={focus}", str(path))
        assert {row.split()[-1] for row in top.splitlines()[-2:]} == {"f", "main"}


def test_read_names_that_are_not_utf8() -> None:
    built = Built(("samples", "count"))
    built.message.function.add(id=1, name=len(built.texts))
    built.message.location.add(id=1).line.add(function_id=1)
    built.message.sample.add(location_id=[1], value=[1])
    data = built.message
    data.string_table.extend([*(text.encode() for text in built.texts), b"caf\xe9"])
    taken = read(data.SerializeToString())
    assert taken.samples[0].locations[0].frames[0].function == "caf\ufffd"


@pytest.mark.parametrize(
    ("key", "number", "unit", "time_ns"),
    [
        ("time", 7, "nanoseconds", 7),
        ("time", 2**63 - 1, "nanoseconds", 2**63 - 1),
        ("time", -1, "nanoseconds", None),
        ("time", -(2**63), "nanoseconds", None),
        ("time", 7, "seconds", None),
        ("time", 7, "", None),
        ("timestamp", 7, "nanoseconds", None),
    ],
)
def test_read_takes_as_time_what_can_be_one(
    key: str, number: int, unit: str, time_ns: int | None
) -> None:
    built = Built(("samples", "count"))
    label = built.message.sample.add(value=[1]).label.add(key=built.text(key), num=number)
    if unit:
        label.num_unit = built.text(unit)
    assert read(built.bytes()).samples[0].time_ns == time_ns


@pytest.mark.parametrize(
    ("comment", "slice_ns"),
    [
        ("slices of 1000 ns", 1000),
        ("slices of 0 ns", 0),
        ("slices of -5 ns", 0),
        (f"slices of {'9' * 18} ns", 10**18 - 1),
        (f"slices of {'9' * 19} ns", 0),
        ("slices of \u0661 ns", 0),
        ("in slices of 1000 ns", 0),
    ],
)
def test_read_takes_as_slices_what_can_be_some(comment: str, slice_ns: int) -> None:
    built = Built(("samples", "count"))
    built.message.comment.append(built.text(comment))
    taken = read(built.bytes())
    assert (taken.slice_ns, taken.comments) == (slice_ns, () if slice_ns else (comment,))


def _negative(built: Built) -> None:
    built.message.sample.add(value=[-1])


def _no_value(built: Built) -> None:
    built.message.sample.add()


def _no_location(built: Built) -> None:
    built.message.sample.add(value=[1], location_id=[4])


def _no_mapping(built: Built) -> None:
    built.message.location.add(id=1, mapping_id=6)


def _no_function(built: Built) -> None:
    built.message.location.add(id=1).line.add(function_id=8)


def _no_unit(built: Built) -> None:
    built.message.sample.add(value=[1]).label.add(key=built.text("time"), num=1, num_unit=99)


def _no_string(built: Built) -> None:
    built.message.comment.append(99)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_negative, "profile has a sample of count -1"),
        (_no_value, "corrupt pprof profile: a sample lacks a value"),
        (_no_location, "corrupt pprof profile: there is no location 4"),
        (_no_mapping, "corrupt pprof profile: there is no mapping 6"),
        (_no_function, "corrupt pprof profile: there is no function 8"),
        (_no_string, "corrupt pprof profile: there is no string 99"),
        (_no_unit, "corrupt pprof profile: there is no string 99"),
    ],
)
def test_read_refuses_inconsistent_messages(spoil: Any, message: str) -> None:
    built = Built(("samples", "count"))
    spoil(built)
    with pytest.raises(BadFileError) as caught:
        read(built.bytes())
    assert caught.value.message == message


def test_read_refuses_a_gzip_bomb() -> None:
    bomb = gzip.compress(bytes(MAX_BYTES + 1), 9)
    assert len(bomb) < MAX_BYTES // 500
    with pytest.raises(BadFileError, match="larger than 64 MiB"):
        read(bomb)


@pytest.mark.parametrize("length", [0, 1, 5, 11, 40, -9, -1])
def test_read_refuses_what_is_cut_short(length: int) -> None:
    with pytest.raises(BadFileError):
        read(written(pprof, example())[:length])


def wrapped(data: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from([data, gzip.compress(data), b"\x1f\x8b" + data])


@given(st.binary(max_size=300).flatmap(wrapped))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except BadFileError as error:
        assert "\n" not in error.message


@given(st.data())
def test_a_flipped_byte_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(gzip.decompress(written(pprof, example())))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    try:
        read(bytes(whole))
    except BadFileError as error:
        assert "\n" not in error.message


# ---- Go ---------------------------------------------------------------------------------------


def go_pprof(*arguments: str) -> str:
    command = ["go", "tool", "pprof", "-symbolize=none", *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The example, written to a file."""
    path = tmp_path / "example.pb.gz"
    path.write_bytes(written(pprof, example()))
    return str(path)


@needs_go
def test_go_shows_functions_and_lines(file: str) -> None:
    top = go_pprof("-top", "-lines", "-unit=ms", file)
    assert "File: several programs" in top and "Type: cpu" in top and "Duration: 10s" in top
    rows = {row.split(None, 5)[-1]: row.split()[0] for row in top.splitlines() if "%" in row}
    assert rows["fft<float>(float const*) /src/demo.c:24"] == "1600ms"
    assert rows["copy_user /src/demo.c:9"] == "550ms"
    assert re.search(r"^ *0 +0% .* 2200ms .* step /src/demo.c:4 \(inline\)$", top, re.M)


@needs_go
def test_go_filters_by_labels(file: str) -> None:
    top = go_pprof("-top", "-sample_index=samples", "-tagfocus=stop=no_row", file)
    assert "lost" in top and "fft" not in top
    assert "fft" in go_pprof("-top", "-tagfocus=tid=2", file)


@needs_go
def test_what_go_writes_of_ours_is_the_same_profile(file: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pb.gz"
    go_pprof("-proto", f"-output={copy}", file)
    ours, theirs = read(Path(file).read_bytes()), read(copy.read_bytes())
    assert sorted(theirs.samples, key=repr) == sorted(ours.samples, key=repr)
    assert (theirs.event, theirs.unit, theirs.period) == (ours.event, ours.unit, ours.period)


@needs_go
def test_go_keeps_times_and_selects_by_them(tmp_path: Path) -> None:
    samples = stack("main;f", 3, time_ns=0), stack("main;g", 5, time_ns=10**9)
    ours = profile(*samples, slice_ns=10**9)
    path, copy = tmp_path / "ours.pb.gz", tmp_path / "copy.pb.gz"
    path.write_bytes(written(pprof, ours))
    go_pprof("-proto", f"-output={copy}", str(path))
    theirs = read(copy.read_bytes())
    assert sorted(theirs.samples, key=repr) == sorted(ours.samples, key=repr)
    assert theirs.slice_ns == ours.slice_ns
    top = go_pprof("-top", "-sample_index=samples", "-tagfocus=time=1s:", str(path))
    assert {row.split()[-1] for row in top.splitlines()[-2:]} == {"g", "main"}


GO_PROGRAM = """package main

import ("os"; "runtime/pprof")

//go:noinline
func spin(n uint64) (sum uint64) { for i := n; i > 0; i-- { sum = sum*i + 1 }; return }

func main() {
	pprof.StartCPUProfile(os.Stdout)
	sum := spin(400_000_000)
	pprof.StopCPUProfile()
	os.Exit(int(sum >> 64))
}
"""


@needs_go
def test_read_what_a_go_program_writes(tmp_path: Path) -> None:
    source = tmp_path / "spinner.go"
    source.write_text(GO_PROGRAM)
    binary = tmp_path / "spinner"
    subprocess.run(["go", "build", "-o", str(binary), str(source)], check=True)
    taken = read(subprocess.run([str(binary)], check=True, capture_output=True).stdout)
    assert (taken.event, taken.unit, taken.period) == ("cpu", "nanoseconds", 10_000_000)
    spinning = [
        sample.count
        for sample in taken.samples
        if any(frame.function == "main.spin" for one in sample.locations for frame in one.frames)
    ]
    assert sum(spinning) >= 0.8 * taken.total > 0
    assert {sample.comm for sample in taken.samples} == {"spinner"}
