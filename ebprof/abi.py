"""bpf/abi.h as Python sees it: NumPy dtypes of its structs, names of its enums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ebprof._native import ffi, lib

Dtype = np.dtype[Any]


@dataclass(frozen=True, slots=True)
class StopReason:
    """Why the unwinder stopped; `complete` is success."""

    name: str
    help: str


@dataclass(frozen=True, slots=True)
class ConnectError:
    """Why a connect failed."""

    name: str
    help: str


@dataclass(frozen=True, slots=True)
class Counter:
    """What is counted besides samples and flows; a loss makes a run incomplete."""

    name: str
    help: str
    is_loss: bool


@cache
def dtype_of(struct: str) -> Dtype:
    """The dtype of a C struct, with the C compiler's offsets and size."""
    return _dtype(ffi.typeof(struct))


def _dtype(ctype: Any) -> Dtype:
    if ctype.kind == "struct":
        fields = [(name, _dtype(field.type), field.offset) for name, field in ctype.fields]
        names, formats, offsets = zip(*fields, strict=True)
        return np.dtype(
            {
                "names": list(names),
                "formats": list(formats),
                "offsets": list(offsets),
                "itemsize": ffi.sizeof(ctype),
            }
        )
    if ctype.kind == "array":
        if ctype.item.cname == "char":
            return np.dtype(f"S{ctype.length}")
        return np.dtype((_dtype(ctype.item), (ctype.length,)))
    sign = "i" if int(ffi.cast(ctype, -1)) < 0 else "u"
    return np.dtype(f"{sign}{ffi.sizeof(ctype)}")


def _text(value: Any) -> str:
    return str(ffi.string(value).decode())


STOP_REASONS = tuple(
    StopReason(_text(lib.stop_name(i)), _text(lib.stop_help(i))) for i in range(lib.STOP_COUNT)
)
COUNTERS = tuple(
    Counter(_text(lib.counter_name(i)), _text(lib.counter_help(i)), bool(lib.counter_is_loss(i)))
    for i in range(lib.COUNTER_COUNT)
)
TRAFFIC_COUNTERS = tuple(
    Counter(
        _text(lib.traffic_counter_name(i)),
        _text(lib.traffic_counter_help(i)),
        bool(lib.traffic_counter_is_loss(i)),
    )
    for i in range(lib.TRAFFIC_COUNTER_COUNT)
)
CONNECT_ERRORS = tuple(
    ConnectError(_text(lib.connect_error_name(i)), _text(lib.connect_error_help(i)))
    for i in range(lib.CONNECT_ERROR_COUNT)
)
COMPLETE = STOP_REASONS[lib.STOP_COMPLETE].name
TRUNCATED = STOP_REASONS[lib.STOP_TRUNCATED].name

SAMPLE_KEY = dtype_of("struct sample_key")
STACK_RECORD = dtype_of("struct stack_record")
NOTICE_RECORD = dtype_of("struct notice_record")
DEFERRED_RECORD = dtype_of("struct deferred_record")
UNMAPPED_RECORD = dtype_of("struct unmapped_record")
MAPPING_ENTRY = dtype_of("struct mapping_entry")
PROCESS_ENTRY = dtype_of("struct process_entry")
MARK_COUNTS = dtype_of("struct mark_counts")
UNWIND_RULE = dtype_of("struct unwind_rule")
JIT_RULE = dtype_of("struct jit_rule")
JIT_PLACE = dtype_of("struct jit_place")
JIT_BLOCK = dtype_of("struct jit_block")
TASK_RECORD = dtype_of("struct task_record")

PROCESS_ID = dtype_of("struct process_id")
OWNER = dtype_of("struct owner")
LISTENER = dtype_of("struct listener")
LISTENING = dtype_of("struct listening")
FLOW_KEY = dtype_of("struct flow_key")
FLOW_COUNTS = dtype_of("struct flow_counts")
PAIR_KEY = dtype_of("struct pair_key")
PAIR = dtype_of("struct pair")
LATENCY_MAX = "latency_max"
"""The field of FLOW_COUNTS that does not add up: of several, the largest counts."""
