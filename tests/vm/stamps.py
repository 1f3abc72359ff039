"""Which sources have passed under other kernels: `python -m tests.vm.stamps 6.1` asks.

Exit code 0 when nothing that faces the kernel has changed since `--stamp` wrote that it had passed
there, else 1. `passed.txt` is part of the repository: a line a kernel, its series and a hash.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAMPS = Path(__file__).with_name("passed.txt")
# Everything that one kernel may take and another refuse, and what runs tests there.
SOURCES = (
    "ebprof/**/*.[ch]",
    "ebprof/bpf/**/*.py",
    "ebprof/events/*.py",
    "ebprof/features/*.py",
    "ebprof/traffic/backends/*.py",
    "ebprof/unwind/*.py",
    "native/ffi_module.py",
    "native/*.cdef",
    "setup.py",
    "tests/vm/*.py",
    "tests/vm/*.sh",
)


def sources(root: Path = ROOT) -> Iterator[Path]:
    """The files that count, each once, in order."""
    yield from sorted({path for pattern in SOURCES for path in root.glob(pattern)})


def current(root: Path = ROOT) -> str:
    """The hash of the sources as they are now, of their names as well."""
    digest = hashlib.sha256()
    for path in sources(root):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def read() -> dict[str, str]:
    """Hashes by the series of a kernel."""
    lines = STAMPS.read_text().splitlines() if STAMPS.exists() else []
    return dict(line.split(" ", 1) for line in lines)


def write(series: str, digest: str) -> None:
    """Note that sources have passed under a kernel."""
    kept = {**read(), series: digest}
    STAMPS.write_text("".join(f"{one} {kept[one]}\n" for one in sorted(kept)))


def main(words: list[str]) -> int:
    """See the module's description."""
    now, passed = current(), read()
    changed = [series for series in words if passed.get(series) != now]
    for series in changed:
        print(f"what faces the kernel has changed since it passed under {series}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
