"""Profiles with sample types: what is read, chosen, shown and written is what pprof shows."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ebprof.errors import BadFileError, UsageError
from ebprof.model import SAMPLES, Profile, SampleType
from ebprof.output import (
    Reading,
    flamegraph,
    folded,
    pprof,
    read_profile,
    speedscope,
    svg,
    table,
    write_file,
)
from ebprof.output import json as json_format
from ebprof.output._types import select, without_others
from tests.builders import profile, stack
from tests.unit.output.built import Built, heap, wall
from tests.unit.output.written import written

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="needs go (Debian: golang-go)")


def read(built: Built) -> Profile:
    return pprof.read(io.BytesIO(built.bytes()))


def counts(one: Profile) -> list[int]:
    return [sample.count for sample in one.samples]


# ---- which values are shown -------------------------------------------------------------------


def test_the_last_type_is_shown() -> None:
    taken = read(heap())
    assert taken.subject == SampleType("inuse_space", "bytes")
    assert counts(taken) == [1536, 0]
    assert [one.values for one in taken.samples] == [(8, 4096, 2, 1536), (100, 1 << 20, 0, 0)]
    assert (taken.event, taken.unit, taken.period) == ("space", "bytes", 524288)


def test_the_default_type_is_shown() -> None:
    built = heap()
    built.default("alloc_space")
    assert read(built).subject == SampleType("alloc_space", "bytes")
    assert counts(read(built)) == [4096, 1 << 20]


def test_a_default_that_is_no_type_is_passed_over() -> None:
    built = heap()
    built.default("nonesuch")
    assert read(built).subject.name == "inuse_space"


def test_samples_with_a_period_are_counted() -> None:
    built = Built(("samples", "count"), ("cpu", "nanoseconds"))
    built.period("cpu", "nanoseconds", 10_000_000)
    built.stack("main;f", 3, 30_000_000)
    taken = read(built)
    assert taken.is_sampled and counts(taken) == [3]
    assert taken.types == (SAMPLES, ("cpu", "nanoseconds"))


@pytest.mark.parametrize("values", [(3, 30_000_001), (3, 0), (0, 30)])
def test_samples_that_are_not_all_of_one_period_are_not(values: tuple[int, int]) -> None:
    built = Built(("samples", "count"), ("cpu", "nanoseconds"))
    built.period("cpu", "nanoseconds", 10_000_000)
    built.stack("main;f", *values)
    taken = read(built)
    assert taken.subject == ("cpu", "nanoseconds") and counts(taken) == [values[1]]


def test_a_period_makes_no_time_of_what_is_only_counted() -> None:
    built = Built(("samples", "count"))
    built.period("cpu", "nanoseconds", 10_000_000)
    built.stack("main;f", 3)
    taken = read(built)
    assert taken.types == (SAMPLES,)
    assert read_types(written(pprof, taken)) == [["samples", "count"]]
    assert speedscope_weights(taken) == ("none", [3])


@pytest.mark.parametrize(
    ("name", "shown"),
    [("alloc_space", 1), ("inuse_objects", 2), ("0", 0), ("3", 3)],
)
def test_select(name: str, shown: int) -> None:
    chosen = select(read(heap()), name, "x")
    assert chosen.shown == shown
    assert counts(chosen) == [one.values[shown] for one in chosen.samples]


def test_select_knows_the_names_of_older_profiles() -> None:
    built = Built(("objects", "count"), ("space", "bytes"))
    built.stack("main", 1, 2)
    assert counts(select(read(built), "inuse_objects", "x")) == [1]


@pytest.mark.parametrize("name", ["nonesuch", "4", "-1", "", "99999999999999999999"])
def test_select_says_what_there_is(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(read(heap()), name, "x")
    assert caught.value.message == f"x has no sample type {name!r}"
    assert "alloc_space (bytes), inuse_objects (count)" in caught.value.hint


def test_select_of_what_was_sampled() -> None:
    taken = profile(stack("main", 3), period=10)
    assert select(taken, "samples", "x") == taken
    assert counts(select(taken, "cpu", "x")) == [30]
    assert types_and_values(written(pprof, select(taken, "cpu", "x"))) == (
        [["samples", "count"], ["cpu", "nanoseconds"]],
        [[3, 30]],
    )


def test_differences_are_refused_also_where_they_are_chosen() -> None:
    built = Built(("delay", "nanoseconds"), ("contentions", "count"))
    built.stack("main", -5, 2)
    with pytest.raises(BadFileError, match="value of delay: -5"):
        select(read(built), "delay", "x")


def test_a_sample_with_more_values_than_types_is_refused() -> None:
    built = Built(("samples", "count"))
    built.stack("main", 1, 2)
    with pytest.raises(BadFileError, match="more values than types"):
        read(built)


def test_a_line_without_function_is_an_address() -> None:
    built = Built(("samples", "count"))
    built.message.mapping.add(id=1, memory_start=0x1000, filename=built.text("/bin/x"))
    built.message.location.add(id=1, mapping_id=1, address=0x1234).line.add(line=7)
    built.message.sample.add(location_id=[1], value=[1])
    (frame,) = read(built).samples[0].locations[0].frames
    assert (frame.function, frame.line) == ("[x]+0x234", 7)


def test_frames_that_a_profile_asks_to_hide_are_told_of() -> None:
    built = Built(("samples", "count"))
    built.stack("main;malloc", 1)
    built.message.drop_frames = built.text("malloc")
    (warning,) = read(built).warnings
    assert "drop_frames" in warning


# ---- what is written --------------------------------------------------------------------------


def types_and_values(packed: bytes) -> tuple[list[list[str]], list[list[int]]]:
    message = Built().message
    message.ParseFromString(gzip.decompress(packed))
    texts = [text.decode() for text in message.string_table]
    types = [[texts[one.type], texts[one.unit]] for one in message.sample_type]
    return types, [list(one.value) for one in message.sample]


def read_types(packed: bytes) -> list[list[str]]:
    return types_and_values(packed)[0]


def speedscope_weights(one: Profile) -> tuple[str, list[float]]:
    (only,) = json.loads(written(speedscope, one))["profiles"]
    return only["unit"], only["weights"]


@pytest.mark.parametrize("build", [heap, wall])
def test_pprof_keeps_all_types_and_values(build: type[Built]) -> None:
    taken = read(build())
    assert pprof.read(io.BytesIO(written(pprof, taken))) == taken
    message = build().message
    assert types_and_values(written(pprof, taken))[1] == [list(one.value) for one in message.sample]


def test_pprof_keeps_what_was_chosen() -> None:
    chosen = select(read(heap()), "alloc_objects", "x")
    assert pprof.read(io.BytesIO(written(pprof, chosen))).subject.name == "alloc_objects"


def test_pprof_keeps_that_there_is_no_period() -> None:
    built = Built(("goroutine", "count"), ("bytes", "bytes"))
    built.stack("main", 1, 2)
    taken = pprof.read(io.BytesIO(written(pprof, read(built))))
    assert (taken.period, taken.types) == (0, (("goroutine", "count"), ("bytes", "bytes")))


def test_folded_shows_values() -> None:
    assert written(folded, read(wall())) == b"main;read 1500000000\nmain;write 700\n"


def test_speedscope_has_values_and_their_unit() -> None:
    assert speedscope_weights(read(wall())) == ("nanoseconds", [1_500_000_000, 700])
    assert speedscope_weights(without_others(read(heap()))) == ("bytes", [1536])
    chosen = select(read(heap()), "alloc_objects", "x")
    assert speedscope_weights(chosen) == ("none", [8, 100])


def test_table_shows_values_in_their_unit() -> None:
    text = written(table, read(wall())).decode()
    assert re.search(r"SELF +TOTAL +WALL +FUNCTION", text)
    assert re.search(r"100\.00% +100\.00% +1\.50s +read", text)
    assert text.rstrip().endswith("1.50s of wall; --sample-type shows sample")


def test_svg_and_html_show_values_in_their_unit() -> None:
    assert "hold (1.50kB, 100.00%)" in written(svg, read(heap())).decode()
    page = written(flamegraph, read(heap())).decode()
    assert "inuse_space flame graph" in page
    assert '"measure":{"steps":[["B",1.0],["kB",1024.0]' in page


def test_json_has_all_types_and_values() -> None:
    document = json.loads(written(json_format, read(heap())))
    assert document["sample_types"][document["shown"]] == {"name": "inuse_space", "unit": "bytes"}
    assert [one["values"] for one in document["samples"]] == [
        [8, 4096, 2, 1536],
        [100, 1 << 20, 0, 0],
    ]


def test_what_was_sampled_is_written_without_types() -> None:
    document = json.loads(written(json_format, profile("main")))
    assert not {"sample_types", "shown"} & document.keys()


def test_stacks_that_count_nothing_are_not_shown(tmp_path: Path) -> None:
    write_file(read(heap()), folded, str(tmp_path / "x"))
    assert (tmp_path / "x").read_text() == "server;main;hold 1536\n"


# ---- Go ---------------------------------------------------------------------------------------

GO_PROGRAM = """package main

import ("os"; "runtime"; "runtime/pprof"; "sync"; "time")

var sink []byte
var held [][]byte
var mutex sync.Mutex

//go:noinline
func hold() { for i := 0; i < 9; i++ { held = append(held, make([]byte, 700_000)) } }

//go:noinline
func drop() { for i := 0; i < 9; i++ { sink = make([]byte, 900_000) }; sink = nil }

//go:noinline
func wait(done *sync.WaitGroup) { mutex.Lock(); time.Sleep(3e6); mutex.Unlock(); done.Done() }

func main() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	hold(); drop()
	var done sync.WaitGroup
	for i := 0; i < 4; i++ { done.Add(1); go wait(&done) }
	done.Wait()
	runtime.GC()
	for _, name := range []string{"heap", "allocs", "mutex", "block", "goroutine"} {
		file, _ := os.Create(os.Args[1] + "/" + name)
		pprof.Lookup(name).WriteTo(file, 0)
		file.Close()
	}
	runtime.KeepAlive(held)
}
"""


@pytest.fixture(scope="module")
def go_profiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the profiles that a Go program writes of itself."""
    place = tmp_path_factory.mktemp("go")
    (place / "main.go").write_text(GO_PROGRAM)
    subprocess.run(["go", "build", "-o", "main", "main.go"], check=True, cwd=place)
    subprocess.run([place / "main", place], check=True)
    return place


def go_raw(path: Path, sample_type: str) -> tuple[str, str, int]:
    """What `go tool pprof` says: the type shown, its unit, and the sum of its values."""
    command = ["go", "tool", "pprof", "-symbolize=none", "-raw", str(path)]
    raw = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    types = re.search(r"Samples:\n(.*)", raw)
    assert types is not None
    names = [one.removesuffix("[dflt]").split("/") for one in types[1].split()]
    defaults = [n for n, one in enumerate(types[1].split()) if one.endswith("[dflt]")]
    number = (defaults or [len(names) - 1])[0]
    if sample_type:
        number = [name for name, _ in names].index(sample_type)
    rows = re.findall(r"^ *((?:\d+ +)*\d+): [\d ]+$", raw, re.MULTILINE)
    return names[number][0], names[number][1], sum(int(row.split()[number]) for row in rows)


@needs_go
@pytest.mark.parametrize("name", ["heap", "allocs", "mutex", "block", "goroutine"])
def test_numbers_are_those_of_go(name: str, go_profiles: Path, tmp_path: Path) -> None:
    path = go_profiles / name
    taken = read_profile(str(path))
    assert taken.total
    assert (*taken.subject, taken.total) == go_raw(path, "")
    for kind in taken.types:
        chosen = read_profile(str(path), Reading(sample_type=kind.name))
        assert (*kind, chosen.total) == go_raw(path, kind.name)
    write_file(taken, pprof, str(tmp_path / "copy"))
    assert go_raw(tmp_path / "copy", "") == go_raw(path, "")


@needs_go
def test_go_shows_the_type_of_allocs_and_so_do_we(go_profiles: Path) -> None:
    assert read_profile(str(go_profiles / "allocs")).subject.name == "alloc_space"
    top = subprocess.run(
        ["go", "tool", "pprof", "-top", "-unit=mb", str(go_profiles / "allocs")],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    (shown,) = re.findall(r"(\S+) +\S+ +\S+ +\S+ +\S+  main\.drop", top)
    text = written(table, read_profile(str(go_profiles / "allocs"))).decode()
    assert re.search(rf"{re.escape(shown)} +main\.drop", text)
