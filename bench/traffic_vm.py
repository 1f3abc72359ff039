"""`ebprof traffic` beside bcc's tcptop, by kprobes and BPF trampolines: in a virtual machine.

It is emulated, so nanoseconds are many times those of a real one; what compares are the ratios.
tcptop (Debian: bpfcc-tools) compiles itself with the kernel's headers (linux-headers-RELEASE).
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys

BACKENDS = ("fentry", "kprobe")
TIMEOUT_SECONDS = 3000
# The links to the kernel's headers lie where the machine has mounted its modules.
UNCOVER = "umount /lib/modules/$(uname -r)"


def main() -> None:
    """Boot, and run the benchmark of calls for each backend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", default="6.1", metavar="SERIES", help="of tests.vm (6.1)")
    kernel = parser.parse_args().kernel
    commands = [UNCOVER, *(shlex.join(_call_cost(backend)) for backend in BACKENDS)]
    command = " && ".join(commands)
    machine = ["--kernel", kernel, "--timeout", str(TIMEOUT_SECONDS), "--command", command]
    subprocess.run([sys.executable, "-m", "tests.vm", *machine], check=True)


def _call_cost(backend: str) -> list[str]:
    options = ["--backend", backend, "--tcptop", "--repeat", "1", "--batches", "8"]
    return [sys.executable, "-m", "bench.traffic_call_cost", *options]


if __name__ == "__main__":
    main()
