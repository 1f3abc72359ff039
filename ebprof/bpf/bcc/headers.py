"""The kernel's headers: where they are, and whether they are those of the running kernel."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ebprof.errors import UnsupportedError

VARIABLE = "BCC_KERNEL_SOURCE"
"""bcc's own: a directory of headers to use instead."""
MODULES = Path("/lib/modules")
ARCHIVE = Path("/sys/kernel/kheaders.tar.xz")
_KCONFIG = "include/linux/kconfig.h"
_RELEASE = "include/generated/utsrelease.h"
_GENERATED = ("include", "include/generated/uapi", "{arch}/generated", "{arch}/generated/uapi")


@dataclass(frozen=True, slots=True)
class Headers:
    """What bcc is to be told of them.

    release: of the kernel that they are of, as `uname -r` says it. flags: for the compiler;
    environment: variables that bcc reads.
    """

    path: str
    release: str
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def check_release(self) -> None:
        """Raises UnsupportedError when they are of another kernel than the one that runs."""
        running = os.uname().release
        if self.release != running:
            raise UnsupportedError(
                f"the headers in {self.path} are of kernel {self.release}, and {running} runs",
                f"install its own (Debian: linux-headers-{running})",
            )


def find_headers() -> Headers:
    """Those that the user names, or those of the running kernel. Raises UnsupportedError."""
    release = os.uname().release
    named = os.environ.get(VARIABLE)
    if named:
        return _named(Path(named))
    build = MODULES / release / "build"
    if _release_of(build):
        return Headers(str(build), _release_of(build))
    if ARCHIVE.exists():
        return Headers(str(ARCHIVE), release)
    raise UnsupportedError(
        f"no headers of kernel {release} for bcc: neither {build} nor {ARCHIVE} is there",
        f"install them (Debian: linux-headers-{release}), or name others by {VARIABLE}",
    )


def _named(path: Path) -> Headers:
    release = _release_of(path)
    common = path if (path / _KCONFIG).exists() else _common_part(path)
    if not release or common is None:
        raise UnsupportedError(f"{VARIABLE}={path} is no directory of kernel headers")
    flags = [] if common == path else [f"-I{path}/{name}" for name in _GENERATED]
    arch = "arch/x86/include"
    return Headers(
        str(path),
        release,
        tuple(flag.format(arch=arch) for flag in flags),
        {VARIABLE: str(common)},
    )


def _common_part(path: Path) -> Path | None:
    """Debian has what does not depend on the configuration in another directory."""
    text = _read(path / "Makefile")
    match = re.match(r"include (/\S+)/Makefile\s*\Z", text)
    common = Path(match[1]) if match else path
    return common if (common / _KCONFIG).exists() else None


def _release_of(path: Path) -> str:
    match = re.search(r'UTS_RELEASE "([^"]*)"', _read(path / _RELEASE))
    return match[1] if match else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
