"""What a build needs of the system, looked for before anything is compiled."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Need:
    """Something that the system has to have. what: for people; include: `#include`s that show it;
    library: to link; deb, rpm: the packages that have it.
    """

    what: str
    deb: str
    rpm: str
    include: str = ""
    library: str = ""


COMPILER = Need("no C compiler (cc)", "gcc", "gcc")
NEEDS = (
    Need("no C headers (stdlib.h)", "libc6-dev", "glibc-devel", "stdlib.h"),
    Need("no headers of Python (Python.h)", "python3-dev", "python3-devel", "Python.h"),
    Need("no headers of libbpf (bpf/libbpf.h)", "libbpf-dev", "libbpf-devel", "bpf/libbpf.h"),
    Need("no libbpf.so to link", "libbpf-dev", "libbpf-devel", library="bpf"),
)


def check() -> None:
    """Raises SystemExit with one line that has all that is missing, and how to get it."""
    found = missing()
    if found:
        whats = ", ".join(one.what for one in found)
        raise SystemExit(f"ebprof cannot be built here: {whats}: {remedy(found)}")


def missing() -> list[Need]:
    """What the system lacks; without a compiler, headers are looked for where they usually are."""
    if shutil.which("cc") is None:
        return [COMPILER, *(one for one in NEEDS if one.include and not _is_file(one.include))]
    return [] if _is_there(*NEEDS) else [one for one in NEEDS if not _is_there(one)]


def remedy(found: list[Need]) -> str:
    """The command that installs what is missing."""
    if shutil.which("dnf") and not shutil.which("apt-get"):
        return "dnf install " + " ".join(dict.fromkeys(one.rpm for one in found))
    return "apt install " + " ".join(dict.fromkeys(one.deb for one in found))


def _is_file(header: str) -> bool:
    return any((Path(path) / header).is_file() for path in ("/usr/include", *_python_paths()))


def _python_paths() -> list[str]:
    return [sysconfig.get_path(name) for name in ("include", "platinclude")]


def _is_there(*needs: Need) -> bool:
    """Whether a file that needs them all can be compiled and linked."""
    source = "".join(f"#include <{one.include}>\n" for one in needs if one.include)
    libraries = [f"-l{one.library}" for one in needs if one.library]
    command = ["cc", *(f"-I{path}" for path in _python_paths()), "-shared", "-fPIC", "-x", "c", "-"]
    command += ["-o", "/dev/null", *libraries]
    return subprocess.run(command, input=source, capture_output=True, text=True).returncode == 0
