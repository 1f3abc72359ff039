"""The compiler: a process of its own, as LLVM takes 200 MB, and ends the process when it fails.

`compile_programs` runs this file as a script. It imports nothing of ours, and bcc from where
Debian's python3-bpfcc puts it if this interpreter does not see it: it is plain Python over ctypes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

SYSTEM_PACKAGES = "/usr/lib/python3/dist-packages"
TIMEOUT_S = 600
"""An emulated machine takes a minute, and minutes when it is not alone."""
_NO_BCC = 3


class CompileError(Exception):
    """What went wrong, in a line; `has_bcc` is False when there is no bcc to compile with."""

    def __init__(self, message: str, *, has_bcc: bool = True) -> None:
        super().__init__(message)
        self.has_bcc = has_bcc


def compile_programs(
    text: str, functions: Iterable[str], flags: Iterable[str], environment: Mapping[str, str]
) -> dict[str, bytes]:
    """The instructions of functions of a C text; raises CompileError.

    environment: variables that bcc is to see besides ours.
    """
    request = {"text": text, "functions": [*functions], "flags": [*flags]}
    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__],
            input=json.dumps(request).encode(),
            capture_output=True,
            env={**os.environ, **environment},
            timeout=TIMEOUT_S,
            cwd="/",  # clang looks for headers there too, and it is root's
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(f"bcc did not run: {error}") from None
    if done.returncode:
        log = done.stderr.decode(errors="replace")
        raise CompileError(_reason(log, done.returncode), has_bcc=done.returncode != _NO_BCC)
    return {name: bytes.fromhex(code) for name, code in json.loads(done.stdout).items()}


def version() -> str:
    """Version of the bcc that is there, such as `0.26.0`; raises CompileError."""
    found = compile_programs("", [], [], {})
    return found["version"].decode()


def _reason(log: str, code: int) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in lines:
        if "error:" in line:
            return line
    return lines[-1] if lines else f"exit code {code}"


def _import_bcc() -> Any:
    """PyPI has packages of the name that are something else."""
    try:
        import bcc
    except ModuleNotFoundError:
        bcc = None
    if not hasattr(bcc, "BPF"):
        sys.modules.pop("bcc", None)
        sys.path.insert(0, SYSTEM_PACKAGES)
        import bcc
    return bcc


def _compile(request: dict[str, Any]) -> dict[str, bytes]:
    bcc = _import_bcc()
    if not request["functions"]:
        return {"version": bcc.__version__.encode()}
    made = bcc.BPF(text=request["text"].encode(), cflags=request["flags"])
    return {name: made.dump_func(name.encode()) for name in request["functions"]}


def _main() -> None:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # bcc prints there
    try:
        compiled = _compile(json.load(sys.stdin))
    except (ImportError, OSError) as error:  # no such module, or no library of its
        print(f"python3-bpfcc cannot be used: {error}", file=sys.stderr)
        sys.exit(_NO_BCC)
    except Exception as error:  # bcc raises no other
        print(error, file=sys.stderr)
        sys.exit(1)
    json.dump({name: code.hex() for name, code in compiled.items()}, answer)


if __name__ == "__main__":
    _main()
