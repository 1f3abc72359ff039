from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ebprof.model import SampleType
from ebprof.output._measure import divisor, measure
from tests.unit.output.built import Built

CASES = [
    ("bytes", 1023, "1023B"),
    ("bytes", 1024, "1kB"),
    ("bytes", 524_800, "512.50kB"),
    ("bytes", 5 << 40, "5TB"),
    ("kilobytes", 2048, "2MB"),
    ("nanoseconds", 999, "999ns"),
    ("nanoseconds", 1_500_000_000, "1.50s"),
    ("nanoseconds", 7_200_000_000_000, "2hrs"),
    ("milliseconds", 1, "1ms"),
    ("seconds", 90, "90s"),
    ("ms", 2500, "2.50s"),
]


@pytest.mark.parametrize(("unit", "value", "text"), CASES)
def test_units_grow_with_values(unit: str, value: int, text: str) -> None:
    assert measure(SampleType("x", unit)).text(value).replace(",", "") == text


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (SampleType("inuse_objects", "count"), 12345, "12,345 inuse_objects"),
        (SampleType("samples", "count/100"), 1050, "10.50 samples"),
        (SampleType("samples", "count/100"), 1000, "10 samples"),
        (SampleType("misses", "cycles"), 12, "12 cycles"),
        (SampleType("space", "bytes"), 0, "0"),
        (SampleType("\x1bx", "\x1b"), 1, "1 ?"),
    ],
)
def test_what_is_counted_is_named(kind: SampleType, value: int, text: str) -> None:
    assert measure(kind).text(value) == text


@pytest.mark.parametrize(
    ("unit", "parts"), [("count", 1), ("count/10", 10), ("count/12", 1), ("count/" + "1" * 99, 1)]
)
def test_divisor(unit: str, parts: int) -> None:
    assert divisor(unit) == parts


@pytest.mark.skipif(not shutil.which("go"), reason="needs go (Debian: golang-go)")
@pytest.mark.parametrize(("unit", "value", "text"), CASES)
def test_go_writes_them_so(unit: str, value: int, text: str, tmp_path: Path) -> None:
    built = Built(("x", unit))
    built.stack("main", value)
    (tmp_path / "x").write_bytes(built.bytes())
    command = ["go", "tool", "pprof", "-top", "-symbolize=none", str(tmp_path / "x")]
    top = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert top.splitlines()[-1].split()[0] == text
