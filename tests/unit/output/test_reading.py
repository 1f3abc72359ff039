"""What a file is, is found in its content, packed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof import output
from ebprof.errors import BadFileError
from ebprof.output import Reading, folded, pprof, read_profile, read_profiles, speedscope, svg
from ebprof.output import json as json_format
from ebprof.output._read import MAX_BYTES
from tests.builders import example, profile, stack
from tests.unit.output.built import Built, heap, wall
from tests.unit.output.written import written

TEXT = b"demo;main;f 3\n"
PERF_SCRIPT = b"""swapper     0 [000]  4412.117233:     250000 cpu-clock:ppp:
\tffffffff8104f45a native_safe_halt ([kernel.kallsyms])
\tffffffff8104f0c8 default_idle ([kernel.kallsyms])

python3 -c  77/78 4412.117233: cpu-clock:
\t    55d0a3 main (/usr/bin/python3.11)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x"


def refused(path: Path, data: bytes) -> BadFileError:
    path.write_bytes(data)
    with pytest.raises(BadFileError) as caught:
        read_profile(str(path))
    assert caught.value.message.startswith(f"{path}")
    return caught.value


# ---- pprof ------------------------------------------------------------------------------------


def long_strings() -> Built:
    built = wall()
    built.text("x" * 5000)
    return built


@pytest.mark.parametrize("build", [heap, wall, long_strings])
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pprof_whatever_its_order(
    path: Path, build: type[Built], is_first: bool, pack: type
) -> None:
    built = build()
    data = built.strings_first() if is_first else built.bytes()
    assert is_first == data.startswith(b"\x32\x00")
    path.write_bytes(pack(data))
    assert read_profile(str(path)) == pprof.read(io.BytesIO(built.bytes()))


def test_pprof_whose_types_come_last(path: Path) -> None:
    built = wall()
    head, tail = built.message.__class__(), built.message.__class__()
    built.bytes()
    head.CopyFrom(built.message)
    head.ClearField("sample_type")
    tail.sample_type.extend(built.message.sample_type)
    path.write_bytes(head.SerializeToString() + tail.SerializeToString())
    assert read_profile(str(path)).subject.name == "wall"


def test_pprof_that_is_cut_short_is_none(path: Path) -> None:
    assert refused(path, heap().bytes()[:-3]).message == f"{path}: not a profile"


def test_a_message_without_types_is_none(path: Path) -> None:
    assert refused(path, Built().bytes()).message == f"{path}: not a profile"


@given(st.binary(min_size=1, max_size=300))
def test_bytes_are_no_pprof(data: bytes) -> None:
    assert not pprof.recognizes(data)


def test_random_bytes_are_nothing(path: Path) -> None:
    for seed in range(50):
        data = random.Random(seed).randbytes(1 + 37 * seed)
        assert not pprof.recognizes(data)
        refused(path, b"\x80" + data)


@pytest.mark.parametrize("form", [folded, speedscope, svg, json_format])
def test_other_formats_are_no_pprof(form: output.OutputFormat) -> None:
    assert not pprof.recognizes(written(form, example()))


# ---- packed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT),
        gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:]),
        gzip.compress(TEXT) + bytes(512),
    ],
    ids=["one member", "two members", "padded"],
)
def test_folded_is_unpacked(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert read_profile(str(path)) == folded.read(io.BytesIO(TEXT))


def test_folded_is_unpacked_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    assert read_profile("-").total == 3


def test_folded_that_unpacks_to_too_much_is_refused(path: Path) -> None:
    bomb = gzip.compress(b"a 1\n" * (MAX_BYTES // 4 + 1), 1)
    assert "larger than 64 MiB" in refused(path, bomb).message


def test_gzip_that_is_cut_short_is_refused(path: Path) -> None:
    assert "cannot unpack gzip data" in refused(path, gzip.compress(TEXT)[:-9]).message


# ---- what is no profile -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bz2.compress(TEXT), "packed by bzip2: unpack it with bzip2 -d"),
        (lzma.compress(TEXT), "packed by xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), "packed by zstd: unpack it with zstd -d"),
        (gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0), "gzip in gzip"),
        (b"PERFILE2" + bytes(80), "perf.data: run `perf script | stackcollapse-perf.pl`"),
        (b"\x7fELF" + bytes(60), "an ELF file"),
        (b"\n<!DOCTYPE html>\n<html>main 3\n", "HTML"),
        (b'<?xml version="1.0"?>\n<svg>\nmain 3\n', "XML or SVG"),
        (b'{"a": [\n1\n, 2\n]}', "JSON"),
        (b"[\n[1],\n 2\n]", "JSON"),
        (PERF_SCRIPT, "what `perf script` prints: pipe it through stackcollapse-perf.pl"),
        (b"# captured on: x\n" + PERF_SCRIPT, "what `perf script` prints"),
        (b"Attached 1 probe\n\n@[\n    f+12\n, comm]: 12\n", "what bpftrace prints"),
        (b"@calls[\n    f+12\n]: 12\n", "pipe it through stackcollapse-bpftrace.pl"),
        (b"\n\n  libc.so.1`f+0x1\n  app`main+0x2\n  12\n", "what DTrace prints"),
        (b"heap profile: 1: 2 [3: 4] @ heap/1048576\n1: 2\n", "fetch it without debug=1"),
        (b"goroutine profile: total 1\n1 @ 0x43\n", "fetch it without debug=1"),
    ],
)
def test_what_it_is_instead_is_said(path: Path, data: bytes, says: str) -> None:
    error = refused(path, data)
    assert error.message == f"{path}: not a profile"
    assert says in error.hint
    assert error.hint.endswith("profiles are read from pprof files and folded stacks")


def test_our_own_other_formats_are_told_apart(path: Path) -> None:
    assert "speedscope" in refused(path, written(speedscope, example())).hint
    assert "JSON that ebprof wrote" in refused(path, written(json_format, example())).hint
    assert "SVG" in refused(path, written(svg, example())).hint


def test_text_without_stacks(path: Path) -> None:
    says = "line 2 is no folded stack: it does not end in a count"
    assert refused(path, b"\nhello world\n").message == f"{path}: {says}"


@pytest.mark.parametrize(
    "data",
    [b"", b"\n \n", gzip.compress(b""), written(pprof, profile())],
    ids=["empty", "lines", "packed", "pprof"],
)
def test_no_samples_is_an_error(path: Path, data: bytes) -> None:
    error = refused(path, data)
    assert error.message == f"{path} has no samples"
    assert not read_profiles(str(path))[0].samples


# ---- how it is read ---------------------------------------------------------------------------


def test_warnings_name_the_file(path: Path) -> None:
    path.write_bytes(TEXT + b"nonsense\n")
    (warning,) = read_profile(str(path)).warnings
    assert warning.startswith(f"{path}: 1 of 2 lines cannot be read; line 2")


def test_strict_refuses_what_lacks_something(path: Path) -> None:
    path.write_bytes(TEXT + b"nonsense\n")
    with pytest.raises(BadFileError, match="1 of 2 lines cannot be read"):
        read_profile(str(path), Reading(strict=True))
    path.write_bytes(TEXT)
    assert read_profile(str(path), Reading(strict=True)).total == 3


def test_no_comm(path: Path) -> None:
    path.write_bytes(b"main;f 3\nidle 4\n")
    taken = read_profile(str(path), Reading(no_comm=True))
    assert written(folded, taken) == b"idle 4\nmain;f 3\n"


def test_no_comm_means_nothing_for_what_is_not_folded(path: Path) -> None:
    path.write_bytes(written(pprof, profile(stack("main"))))
    assert read_profile(str(path), Reading(no_comm=True)).samples[0].comm == "demo"


def test_sample_type(path: Path) -> None:
    path.write_bytes(heap().bytes())
    taken = read_profile(str(path), Reading(sample_type="alloc_objects"))
    assert taken.total == 108
