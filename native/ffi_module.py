"""Writes the C source of `ebprof._native`: one cffi module over libbpf and our own C.

The declarations are our headers themselves, run through the C preprocessor, so that a struct or
an enum is written once, in C.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from cffi import FFI

HEADERS = [
    "ebprof/bpf/abi.h",
    "ebprof/bpf/traffic_abi.h",
    "ebprof/bpf/kernel.h",
    "ebprof/bpf/names.h",
    "ebprof/output/pprof.h",
    "ebprof/output/pprof_batch.h",
    "ebprof/unwind/rows.h",
    "ebprof/unwind/code.h",
    "ebprof/unwind/eh_frame.h",
    "ebprof/unwind/pclntab.h",
    "ebprof/unwind/replay.h",
    "ebprof/unwind/table.h",
]
SOURCES = [
    "ebprof/bpf/kernel.c",
    "ebprof/bpf/names.c",
    "ebprof/output/pprof.c",
    "ebprof/output/pprof_batch.c",
    "ebprof/unwind/code.c",
    "ebprof/unwind/eh_frame.c",
    "ebprof/unwind/expression.c",
    "ebprof/unwind/pclntab.c",
    "ebprof/unwind/replay.c",
    "ebprof/unwind/table.c",
    "ebprof/unwind/x86_code.c",
]
LIBBPF = Path(__file__).with_name("libbpf.cdef")

EXTENSION: dict[str, Any] = {
    "include_dirs": ["."],
    "libraries": ["bpf"],
    "extra_compile_args": ["-O2", "-std=gnu11", "-fvisibility=hidden"],
}


def write_source(directory: Path) -> str:
    """Write `_native.c` into `directory`, which is made, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    ffi = FFI()
    ffi.cdef(_declarations(HEADERS), override=True)
    ffi.cdef(LIBBPF.read_text())
    includes = [f'#include "{name}"' for name in HEADERS]
    libbpf = [f"#include <bpf/{name}.h>" for name in ("bpf", "btf", "libbpf")]
    ffi.set_source("ebprof._native", "\n".join([*libbpf, *includes]))
    path = directory / "_native.c"
    ffi.emit_c_code(str(path))
    return str(path)


def _declarations(headers: list[str]) -> str:
    """The headers' own text with macros expanded; what system headers declare is left out."""
    source = "\n".join(f'#include "{name}"' for name in headers)
    command = ["cc", "-E", "-I.", "-DEBPROF_CDEF", "-x", "c", "-"]
    try:
        text = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise SystemExit("no C compiler: install gcc") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"cannot preprocess {', '.join(headers)}:\n{error.stderr}") from None
    kept: list[str] = []
    ours = False
    for line in text.stdout.splitlines():
        if line.startswith("# "):
            ours = any(f'"{name}"' in line for name in headers)
        elif ours:
            kept.append(line)
    return "\n".join(kept)
