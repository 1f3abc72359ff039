"""Runs a command under another kernel: the host's files, an emulated machine, no network.

What the command writes to files stays in the machine's memory and goes with it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from tests.vm import initramfs, tools
from tests.vm.errors import VmError
from tests.vm.kernels import BUILT, Kernel

QEMU = "qemu-system-x86_64"
# In the machine: what is written there is Outcome.report on the host.
REPORT = "/dev/vport0p3"
# rdrand: without it the first random number takes seconds.
HARDWARE = ("-machine", "q35,accel=tcg", "-cpu", "Nehalem,+rdrand", "-smp", "2", "-m", "2G")
# tsc: any other clock is emulated, and slow to read. mitigations, audit, init_on_alloc: safety
# that takes time and that nobody needs here.
KERNEL_OPTIONS = (
    "console=ttyS0 8250.nr_uarts=1 loglevel=5 panic=-1 "
    "tsc=reliable mitigations=off audit=0 init_on_alloc=0"
)
INHERITED = ("PATH", "HOME", "LANG", "TERM")
# QEMU 7.2 crashes now and then while a kernel sets up the emulated devices; and a kernel that is
# emulated on a busy machine may find its clocks broken.
ATTEMPTS = 3
BOOT_SECONDS = 120
NOT_STARTED = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command; seconds: from power on to power off; report: see REPORT."""

    exit_code: int
    seconds: float
    report: str


def run(kernel: Kernel, command: str, environment: Mapping[str, str], timeout: float) -> Outcome:
    """Boot, run a shell command as root in the current directory, and switch off.

    Output of the command goes to standard output as it comes, the kernel's messages to
    `console_log`. timeout: seconds, boot included. Raises VmError when the command did not come to
    its end.
    """
    words = f"bash -c {shlex.quote(command)} </dev/null >/dev/vport0p1 2>&1"
    port = ("file,id=output,path=/proc/self/fd/1", "virtserialport,nr=1,chardev=output")
    return _boot(kernel, words, environment, port, timeout)


def shell(kernel: Kernel, environment: Mapping[str, str]) -> Outcome:
    """Boot, and connect the terminal to a shell until it ends. Raises VmError."""
    if not sys.stdin.isatty():
        raise VmError("a shell needs a terminal: use --command")
    size = os.get_terminal_size()
    start = f"stty rows {size.lines} cols {size.columns}; exec bash -i"
    words = f"setsid --ctty --wait bash -c {shlex.quote(start)} </dev/hvc0 >/dev/hvc0 2>&1"
    port = ("stdio,id=output,signal=off", "virtconsole,chardev=output")
    return _boot(kernel, words, environment, port, None)


def console_log(kernel: Kernel) -> Path:
    """Where the kernel's messages of its last run are."""
    return BUILT / "console" / f"{kernel.series}.log"


def _boot(
    kernel: Kernel,
    words: str,
    environment: Mapping[str, str],
    port: tuple[str, str],
    timeout: float | None,
) -> Outcome:
    """Run words in bash as process 1; a port: QEMU's -chardev named output, and its -device."""
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=BUILT, prefix=".run-") as scratch:
            place = Path(scratch)
            initramfs.write(place / "initramfs", kernel, _guest(kernel, words, environment))
            start = time.monotonic()
            try:
                code = _emulate(_command(kernel, place, port), place / "status", timeout)
            finally:
                _keep(place / "console", console_log(kernel))
            if code == 0 and _started(place / "status"):
                return _outcome(kernel, place, time.monotonic() - start)
    raise VmError(f"no boot of {ATTEMPTS} came through: see {console_log(kernel)}")


def _guest(kernel: Kernel, words: str, environment: Mapping[str, str]) -> str:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    variables = {**inherited, **environment}
    text = (initramfs.HERE / "guest.sh").read_text()
    for name, value in {
        "SERIES": kernel.series,
        "RELEASE": kernel.release,
        "MODULES": shlex.quote(str(kernel.modules)),
        "ENVIRONMENT": " ".join(f"{key}={shlex.quote(value)}" for key, value in variables.items()),
        "DIRECTORY": shlex.quote(str(Path.cwd())),
        "COMMAND": words,
    }.items():
        text = text.replace(f"@{name}@", value)
    return text


def _command(kernel: Kernel, place: Path, port: tuple[str, str]) -> list[str]:
    return [
        str(tools.find(QEMU)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *HARDWARE,
        *("-kernel", str(kernel.image), "-initrd", str(place / "initramfs")),
        *("-append", KERNEL_OPTIONS),
        *("-chardev", f"file,id=console,path={place / 'console'}", "-serial", "chardev:console"),
        *("-device", "virtio-serial-pci", "-chardev", port[0], "-device", port[1]),
        *("-chardev", f"file,id=status,path={place / 'status'}"),
        *("-device", "virtserialport,nr=2,chardev=status"),
        *("-chardev", f"file,id=report,path={place / 'report'}"),
        *("-device", "virtserialport,nr=3,chardev=report"),
        *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
    ]


def _emulate(command: list[str], status: Path, timeout: float | None) -> int:
    """Exit code of QEMU; its standard output is passed on. Raises VmError after the timeout."""
    if timeout is None:
        return subprocess.run(command).returncode
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        copier = Thread(target=_copy, args=(process.stdout,))
        copier.start()
        try:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(min(BOOT_SECONDS, timeout))
            return process.wait(timeout - BOOT_SECONDS) if _started(status) else NOT_STARTED
        except subprocess.TimeoutExpired:
            raise VmError(f"not done after {timeout:g} s") from None
        finally:
            process.kill()
            copier.join()


def _copy(source: IO[bytes]) -> None:
    while data := os.read(source.fileno(), 1 << 16):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _keep(log: Path, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    if log.exists():
        log.replace(path)


def _started(status: Path) -> bool:
    return status.exists() and status.read_text().startswith("started")


def _outcome(kernel: Kernel, place: Path, seconds: float) -> Outcome:
    """The guest writes "started" and "exit N"; a kernel that panics ends before the second."""
    last = (place / "status").read_text().splitlines()[-1]
    if not last.startswith("exit "):
        raise VmError(f"the kernel stopped while the command ran: see {console_log(kernel)}")
    return Outcome(int(last.removeprefix("exit ")), seconds, (place / "report").read_text())
