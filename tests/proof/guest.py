"""Measures under another kernel, in a machine that QEMU emulates."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator

from tests.proof.workload import Row, Workload

SECONDS = 3600
"""For one kernel, boot included."""

SLOWNESS = 10
"""Of an emulated CPU; it is more, but there must be samples enough."""


def measure_in(series: str, workloads: list[Workload]) -> Iterator[Row]:
    """A row a workload, each as soon as it is there; those that do not come are failures."""
    if not workloads:
        return
    missing = {workload.name: workload for workload in workloads}
    words = [sys.executable, "-m", "tests.proof", "--json", "--slowness", str(SLOWNESS), *missing]
    command = [sys.executable, "-m", "tests.vm", "--kernel", series, "--timeout", str(SECONDS)]
    with subprocess.Popen(
        [*command, "--command", shlex.join(words)], stdout=subprocess.PIPE, text=True
    ) as machine:
        assert machine.stdout is not None
        said = [""]
        for line in machine.stdout:
            row = row_in(line)
            if row is None:
                said.append(line.strip())
            elif missing.pop(row.workload, None):
                yield row
    why = f"no result from the machine: {next(filter(None, reversed(said)), 'it said nothing')}"
    for workload in missing.values():
        yield Row(workload.name, series, workload.bar, failure=why)


def row_in(line: str) -> Row | None:
    """The row that a line of the guest's output is, or None when it is anything else."""
    if not line.startswith('{"workload": '):
        return None
    try:
        return Row(**json.loads(line))
    except (ValueError, TypeError):
        return None
