"""What is said after a recording."""

from __future__ import annotations

from types import ModuleType

import pytest

from ebprof.commands import _record
from ebprof.commands._record import Destination
from ebprof.model import Profile
from ebprof.output import Look, json, pprof
from tests.builders import profile, stack

SECOND = 10**9


def recorded(counts: list[int]) -> Profile:
    samples = (stack("f", count, time_ns=at * SECOND) for at, count in enumerate(counts))
    return profile(*samples, slice_ns=SECOND, duration_ns=len(counts) * SECOND)


@pytest.mark.parametrize(
    ("counts", "output", "path", "is_said"),
    [
        ([10] * 20 + [90] * 20, pprof, "x.pb.gz", True),
        ([10] * 40, pprof, "x.pb.gz", False),
        ([10] * 20 + [90] * 20, pprof, None, False),
        ([10] * 20 + [90] * 20, json, "x.json", False),
    ],
    ids=("jump", "none", "stdout", "not_read_back"),
)
def test_windows_to_compare(
    counts: list[int],
    output: ModuleType,
    path: str | None,
    is_said: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    destination = Destination(output, path, None, quiet=False, verbose=False, look=Look())
    _record._propose(recorded(counts), destination)
    said = capsys.readouterr().err
    words = "ebprof: largest jump at 20s (10 to 90 samples a slice): ebprof diff"
    assert said == (f"{words} x.pb.gz@0s-20s x.pb.gz@20s-40s\n" if is_said else "")
