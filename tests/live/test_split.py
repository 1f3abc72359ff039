"""A known split between three functions, however the program was built."""

from __future__ import annotations

from collections import Counter

import pytest

from tests import targets
from tests.live.profiled import assert_complete, assert_share, profile

SPLIT = {"sixty": 0.6, "thirty": 0.3, "ten": 0.1}
VARIANTS = [
    pytest.param("default", marks=pytest.mark.vm),
    "fp",
    "fp_only",
    "debug_frame",
    "debug_frame_zstd",
    pytest.param("static", marks=pytest.mark.vm),
    "static_pie",
    "no_pie",
    "unoptimized",
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_functions_have_their_share(variant: str) -> None:
    with targets.running("split", variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for function, share in SPLIT.items():
        assert_share(done.count_calls("main", "serve", function), done.total, share)


@pytest.mark.vm
def test_stripped_program_is_split_by_address() -> None:
    with targets.running("split", variant="stripped") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    by_call: Counter[str] = Counter()
    for stack, count in done.stacks.items():
        own = [frame for frame in stack if frame.startswith("[split]+0x")]
        serve = own[2] if len(own) == 4 else ""  # after _start and main: where it calls the leaf
        by_call[serve] += count
    shares = [count for _, count in by_call.most_common(3)]
    for count, share in zip(shares, SPLIT.values(), strict=True):
        assert_share(count, done.total, share)
