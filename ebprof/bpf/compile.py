"""Compiles *.bpf.c to CO-RE objects with $CLANG, else clang, else the ziglang wheel's clang.

For setup.py, ours and that of a plug-in with a program of its own; our headers are found.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

ARCHES = {"x86_64": "x86", "aarch64": "arm64"}


def build(sources: Path, target: Path) -> None:
    """Compile every `*.bpf.c` in `sources` to `*.bpf.o` in `target`; raises SystemExit."""
    target.mkdir(parents=True, exist_ok=True)
    one = partial(_compile, [*_compiler(), *_flags()], target)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(one, sorted(sources.glob("*.bpf.c"))))


def _compile(compiler: list[str], target: Path, source: Path) -> None:
    command = [*compiler, "-c", str(source), "-o", str(target / source.with_suffix(".o").name)]
    print(" ".join(command))
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"cannot compile {source} for BPF: {error}") from None


def _compiler() -> list[str]:
    wanted = os.environ.get("CLANG")
    if wanted:
        return [*wanted.split(), "-target", "bpf", "-mcpu=v3"]
    clang = shutil.which("clang")
    if clang:
        return [clang, "-target", "bpf", "-mcpu=v3"]
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding"]
    raise SystemExit("no compiler for BPF: install clang, set $CLANG, or pip install ziglang")


def _flags() -> list[str]:
    machine = platform.machine()
    return [
        "-O2",
        "-g",
        "-Wall",
        "-Werror",
        "-fno-asynchronous-unwind-tables",
        f"-D__TARGET_ARCH_{ARCHES[machine]}",
        f"-I{Path(__file__).parent}",
        "-I/usr/include",
        f"-I/usr/include/{machine}-linux-gnu",
    ]
