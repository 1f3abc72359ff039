"""One program with symbols of each kind: DWARF, tables, MiniDebugInfo, dynamic ones."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ebprof.elf import ElfImage
from tests.binutils import functions, run

_RENAMED = 8


def without_debug(path: Path, target: Path) -> Path:
    """With its symbol table, and no DWARF."""
    run("strip", "-g", "-o", target, path)
    return target


def without_symbols(path: Path, target: Path) -> Path:
    """With what the dynamic linker needs."""
    run("strip", "--strip-all", "-o", target, path)
    return target


def debug_file(path: Path, target: Path) -> Path:
    """What was taken away, in a file of its own."""
    run("objcopy", "--only-keep-debug", path, target)
    return target


def with_minidebug(path: Path, target: Path) -> Path:
    """Without symbols but for those in `.gnu_debugdata`, which is how Fedora packs programs."""
    kept = target.with_suffix(".names")
    kept.write_text("\n".join(functions(path)))
    mini = target.with_suffix(".mini")
    run("objcopy", "-S", f"--keep-symbols={kept}", debug_file(path, mini), mini)
    run("xz", "-kf", mini)
    stripped = without_symbols(path, target.with_suffix(".stripped"))
    run("objcopy", f"--add-section=.gnu_debugdata={mini}.xz", stripped, target)
    return target


def without_build_id(path: Path, target: Path) -> Path:
    """Known by its hash alone."""
    run("objcopy", "--remove-section=.note.gnu.build-id", path, target)
    return target


def copied(path: Path, target: Path) -> Path:
    """As it is."""
    return Path(shutil.copy(path, target))


def renamed(path: Path) -> Path:
    """With another build ID, so that it is an object of its own."""
    with path.open("r+b", buffering=0) as file:
        note = ElfImage(file).section(".note.gnu.build-id")
        if note is not None:
            file.seek(note.offset + note.size - _RENAMED)
            file.write(hashlib.sha256(str(path).encode()).digest()[:_RENAMED])
    return path


def linked(path: Path, debug: Path, target: Path) -> Path:
    """Without symbols, but with the name and the checksum of its separate debug file."""
    run("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", path, target)
    return target


def with_section(path: Path, name: str, contents: Path) -> Path:
    """With one more section, in place."""
    run("objcopy", f"--add-section={name}={contents}", path)
    return path


def relocatable(target: Path) -> Path:
    """Debug information without a program, as `dwz` makes it for several."""
    source = target.with_suffix(".c")
    source.write_text("int x;\n")
    run("gcc", "-g", "-c", "-o", target, source)
    return target
