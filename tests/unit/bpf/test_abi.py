"""NumPy's view of abi.h is the C compiler's."""

from __future__ import annotations

import numpy as np
import pytest

from ebprof._native import ffi, lib
from ebprof.abi import (
    COMPLETE,
    CONNECT_ERRORS,
    COUNTERS,
    STOP_REASONS,
    TRAFFIC_COUNTERS,
    dtype_of,
)

STRUCTS = [
    "struct unwind_rule",
    "struct mapping_entry",
    "struct process_entry",
    "struct sample_key",
    "struct stack_record",
    "struct notice_record",
    "struct deferred_record",
    "struct table_segment",
    "struct process_id",
    "struct flow_key",
    "struct flow_counts",
    "struct owner",
]


@pytest.mark.parametrize("struct", STRUCTS)
def test_sizes_and_offsets_are_the_compilers(struct: str) -> None:
    dtype = dtype_of(struct)
    assert dtype.itemsize == ffi.sizeof(struct)
    assert dtype.fields is not None
    for name, (_, offset, *_) in dtype.fields.items():
        assert offset == ffi.offsetof(struct, name)


def test_signs_are_kept() -> None:
    rule = np.zeros(1, dtype_of("struct unwind_rule"))
    rule["cfa_offset"] = -8
    assert ffi.from_buffer("struct unwind_rule *", rule).cfa_offset == -8


def test_every_stop_reason_and_counter_has_one_name_and_help() -> None:
    for texts in (STOP_REASONS, COUNTERS, TRAFFIC_COUNTERS, CONNECT_ERRORS):
        assert len({text.name for text in texts}) == len(texts)
        assert all(text.help for text in texts)
    assert STOP_REASONS[lib.STOP_COMPLETE].name == COMPLETE == "complete"


def test_what_makes_a_run_incomplete_is_marked() -> None:
    losses = {counter.name for counter in COUNTERS if counter.is_loss}
    assert {"counts_full", "ring_full"} <= losses
    assert not losses & {"samples", "user", "filtered"}
