"""Fuzzes one of `readers`, or runs it once: python -m tests.fuzz.reader NAME [FILE|-OPTION...]

A single file is read without atheris; anything else is libFuzzer's.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

from tests.fuzz import readers

BUILT = Path(__file__).parents[2] / "build" / "fuzz"


class Reader(Protocol):
    """A module of `readers`."""

    read: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


def names() -> list[str]:
    """Names of all readers."""
    return sorted(module.name for module in pkgutil.iter_modules(readers.__path__))


def load(name: str) -> Reader:
    """The reader of a name."""
    return cast(Reader, importlib.import_module(f"{readers.__name__}.{name}"))


def main(arguments: list[str]) -> None:
    """See the module's description."""
    name, *rest = arguments
    if len(rest) == 1 and Path(rest[0]).is_file():
        load(name).read(Path(rest[0]).read_bytes())
        return
    import atheris

    with atheris.instrument_imports(include=["ebprof", "elftools"]):
        reader = load(name)
    atheris.Setup([str(_launcher(name)), *rest], reader.read)
    atheris.Fuzz()


def _launcher(name: str) -> Path:
    """A program that does the same as this one for a reader: libFuzzer starts it to merge."""
    path = BUILT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.fuzz.reader {name} "$@"\n')
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
