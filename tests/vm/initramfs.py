"""What a kernel finds at boot: busybox, the modules for the host's files, and our init."""

from __future__ import annotations

import lzma
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.vm import tools
from tests.vm.kernels import Kernel

HERE = Path(__file__).parent
# The host's files, a layer to write on over them, and the ports that output goes through.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console")
DIRECTORIES = ("bin", "dev", "proc", "sys", "host", "layer", "root", "modules")


def write(path: Path, kernel: Kernel, guest: str) -> None:
    """Write an initramfs that makes the host's files the root and runs a shell script there.

    guest: the script, run by the host's bash as process 1. Raises VmError.
    """
    files = {
        "bin/busybox": tools.find("busybox").read_bytes(),
        "init": (HERE / "init.sh").read_bytes(),
        "guest": guest.encode(),
    }
    modules = {f"modules/{n:02}.ko": data for n, data in enumerate(_modules(kernel))}
    path.write_bytes(archive(DIRECTORIES, {**files, **modules}))


def archive(directories: Iterable[str], files: Mapping[str, bytes]) -> bytes:
    """A cpio archive as the kernel unpacks it; all files are executable."""
    return b"".join(
        [
            *(_entry(name, stat.S_IFDIR | 0o755, b"") for name in directories),
            *(_entry(name, stat.S_IFREG | 0o755, data) for name, data in files.items()),
            _entry("TRAILER!!!", 0, b""),
        ]
    )


def _entry(name: str, mode: int, data: bytes) -> bytes:
    """Of a cpio archive of the format "newc", Documentation/driver-api/early-userspace."""
    encoded = name.encode() + b"\0"
    links, size = 1, len(data)
    fields = (0, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + encoded) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _modules(kernel: Kernel) -> list[bytes]:
    """Contents of the modules that are not built in, those that others depend on first."""
    paths: dict[Path, None] = {}
    for name in MODULES:
        where = ("-d", str(kernel.root), "-S", kernel.release)
        for line in tools.output("modprobe", *where, "--show-depends", name).splitlines():
            verb, path = line.split(maxsplit=1)
            if verb == "insmod":
                paths[Path(path.strip())] = None
    return [_contents(path) for path in paths]


def _contents(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
