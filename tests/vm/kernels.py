"""Debian's kernels, fetched by apt at first use and unpacked below build/vm/SERIES."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.vm import tools
from tests.vm.errors import VmError

BUILT = Path(__file__).parents[2] / "build" / "vm"

# In this order they are searched for a series. Each is read by lists of its own, so that nothing
# else on the machine changes.
SUITES = ("bookworm", "bookworm-backports", "trixie", "sid", "bullseye")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Depends on the newest kernel of its suite.
META_PACKAGE = "linux-image-amd64"
# What a kernel is made of; the rest of its dependencies sets up a bootable machine.
PARTS = re.compile(r"\blinux-(?:image|binary|modules|base)-\d[\w.+~-]*")


@dataclass(frozen=True, slots=True)
class Kernel:
    """An unpacked kernel.

    series: as asked for, "6.1"; release: as `uname -r` says; image: what the boot loader loads;
    root: a directory with lib/modules/RELEASE, for `modprobe -d`.
    """

    series: str
    release: str
    image: Path
    root: Path

    @property
    def modules(self) -> Path:
        return self.root / "lib" / "modules" / self.release


def get(series: str) -> Kernel:
    """The newest kernel of a series ("6.1") that Debian has; fetched when it is not there yet.

    A kernel that is there is not looked for again: remove its directory for a newer one. Raises
    VmError.
    """
    if not re.fullmatch(r"\d+\.\d+", series):
        raise VmError(f"{series!r} is no kernel series: give one as 6.1")
    directory = BUILT / series
    if not directory.exists():
        _fetch(series, directory)
    return _unpacked(series, directory)


def _unpacked(series: str, directory: Path) -> Kernel:
    try:
        (modules,) = (directory / "lib" / "modules").iterdir()
    except (OSError, ValueError):
        raise VmError(f"{directory} holds no kernel: remove it, it is fetched again") from None
    return Kernel(series, modules.name, directory / "vmlinuz", directory)


def _fetch(series: str, directory: Path) -> None:
    """Unpack beside the final place and rename: what is there is whole."""
    suite = _suite_of(series)
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT, prefix=f".{series}-") as scratch:
        packages = suite.download(META_PACKAGE, Path(scratch))
        root = Path(scratch) / "root"
        for package in packages:
            tools.output("dpkg-deb", "-x", str(package), str(root))
        unpacked = _arrange(root, Path(scratch) / "kernel")
        tools.output(
            "depmod", "-b", str(unpacked), next((unpacked / "lib" / "modules").iterdir()).name
        )
        with suppress(FileExistsError):  # somebody else was faster
            unpacked.rename(directory)


def _arrange(root: Path, place: Path) -> Path:
    """Modules and image, wherever this release has them, in one place."""
    images = [*root.glob("boot/vmlinuz-*"), *root.glob("usr/lib/modules/*/vmlinuz")]
    modules = [*root.glob("lib/modules/*"), *root.glob("usr/lib/modules/*")]
    if len(images) != 1 or len(modules) != 1:
        raise VmError(f"no kernel with modules in the packages of {META_PACKAGE}")
    (place / "lib" / "modules").mkdir(parents=True)
    images[0].rename(place / "vmlinuz")
    modules[0].rename(place / "lib" / "modules" / modules[0].name)
    return place


def _suite_of(series: str) -> _Suite:
    offered, unread = [], []
    for name in SUITES:
        suite = _Suite(name)
        try:
            found = suite.series()
        except VmError as error:
            unread.append(f"{name}: {error}")
            continue
        if found == series:
            return suite
        offered.append(f"{name}: {found}")
    if not offered:
        raise VmError(f"cannot fetch Linux {series}, is there a network? {unread[0]}")
    raise VmError(f"no suite of Debian has Linux {series} ({', '.join(offered + unread)})")


class _Suite:
    """One suite of Debian as apt sees it, with lists and sources of its own."""

    def __init__(self, name: str) -> None:
        self._directory = BUILT / "apt" / name
        (self._directory / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        sources = self._directory / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] {_mirror()} {name} main\n")
        self._options = [
            *("-o", f"Dir::Etc::SourceList={sources}"),
            *("-o", "Dir::Etc::SourceParts=/dev/null"),
            *("-o", f"Dir::State::Lists={self._directory / 'lists'}"),
            *("-o", "Dir::State::Status=/dev/null"),
            *("-o", f"Dir::Cache={self._directory}"),
            *("-o", "Acquire::Languages=none"),
            *("-o", "Acquire::Retries=3"),
            *("-o", "Acquire::http::Timeout=30"),
            *("-o", "APT::Update::Error-Mode=any"),
            *("-o", "APT::Sandbox::User=root"),
        ]

    def series(self) -> str:
        """Of the newest kernel, "6.1"; lists are fetched first. Raises VmError."""
        tools.output("apt-get", *self._options, "update", "-q")
        version = self._fields(META_PACKAGE)["Version"]
        return ".".join(version.split(".")[:2])

    def download(self, package: str, directory: Path) -> list[Path]:
        """Fetch the parts that a package depends on, itself left out, into a directory."""
        names = sorted(set(self._parts(package)))
        tools.output("apt-get", *self._options, "download", "-q", *names, directory=directory)
        return sorted(directory.glob("*.deb"))

    def _parts(self, package: str) -> Iterator[str]:
        for name in PARTS.findall(self._fields(package).get("Depends", "")):
            yield name
            yield from self._parts(name)

    def _fields(self, package: str) -> dict[str, str]:
        text = tools.output("apt-cache", *self._options, "show", "--no-all-versions", package)
        return dict(
            line.split(": ", 1) for line in text.splitlines() if re.match(r"[\w-]+: ", line)
        )


def _mirror() -> str:
    """Where this machine reads its own release of Debian from."""
    codename = tools.output("sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"').strip()
    targets = tools.output("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)")
    for line in targets.splitlines():
        release, address = line.split(" ", 1)
        if release == codename:
            return address
    raise VmError(f"apt's sources do not name a mirror of {codename or 'this system'}")
