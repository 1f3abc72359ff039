"""`python -m tests.vm`: runs tests, a command or a shell under other kernels."""

from __future__ import annotations

import argparse
import compileall
import shlex
import signal
import sys
from pathlib import Path

from tests.vm import kernels, machine, report, stamps
from tests.vm.errors import VmError
from tests.vm.report import Row

ROOT = Path(__file__).parents[2]
DEFAULT_KERNELS = ("5.10", "6.1", "6.12", "7.2")
DEFAULT_SECONDS = 5400
# Plug-ins that tests do not ask for cost an emulated machine ten seconds.
ENVIRONMENT = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "EBPROF_PATIENCE": "10",
}
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM


def main() -> int:
    """Exit code 0 when everything ran and passed under every kernel, else 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # QEMU ends with us
    arguments = _arguments()
    for directory in ("ebprof", "tests"):  # the machine is slow, and forgets what it compiles
        compileall.compile_dir(ROOT / directory, quiet=2)
    try:
        return _shell(arguments.kernel[0]) if arguments.shell else _run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.vm",
        description="Run pytest, as root, under other kernels. See docs/vm.md.",
    )
    parser.add_argument(
        "--kernel",
        action="append",
        metavar="SERIES",
        help=f"as 6.1; may be given more than once (default: {', '.join(DEFAULT_KERNELS)})",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_SECONDS,
        metavar="SECONDS",
        help=f"for each kernel, boot included (default: {DEFAULT_SECONDS})",
    )
    parser.add_argument(
        "--stamp",
        action="store_true",
        help=f"note in {stamps.STAMPS.relative_to(ROOT)} under which kernels all passed",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--command", help="run this by bash instead of pytest")
    what.add_argument("--shell", action="store_true", help="a shell under the first kernel")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    arguments = parser.parse_args()
    arguments.kernel = arguments.kernel or list(DEFAULT_KERNELS)
    return arguments


def _shell(series: str) -> int:
    try:
        return machine.shell(kernels.get(series), ENVIRONMENT).exit_code
    except VmError as error:
        print(f"{series}: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    command = arguments.command or _pytest(arguments.pytest)
    sources = stamps.current()
    runs = [_row(series, command, arguments.timeout) for series in arguments.kernel]
    print("", *report.table(row for row, _ in runs), sep="\n")
    for row, good in runs if arguments.stamp else []:
        if good:
            stamps.write(row.series, sources)
    return 0 if all(good for _, good in runs) else 1


def _row(series: str, command: str, timeout: float) -> tuple[Row, bool]:
    """Run a command under a kernel: what to say of it, and whether all went well."""
    release = "-"
    try:
        kernel = kernels.get(series)
        release = kernel.release
        print(f"==> Linux {release}", flush=True)
        outcome = machine.run(kernel, command, ENVIRONMENT, timeout)
    except VmError as error:
        return Row(series, release, "-", str(error)), False
    row = Row(series, release, f"{outcome.seconds:.0f}", report.result(outcome))
    return row, outcome.exit_code == 0


def _pytest(arguments: list[str]) -> str:
    return shlex.join([*PYTEST, f"--junitxml={machine.REPORT}", *arguments])


if __name__ == "__main__":
    sys.exit(main())
