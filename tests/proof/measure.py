"""Runs a workload under ebprof and judges every sample of it."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ebprof.sampling.statistics import ALL_COUNTERS
from tests import targets
from tests.live.profiled import FREQUENCY, WORK_SECONDS_EACH, record, record_each
from tests.proof.stack import NO_USER_STACK, Stack, read
from tests.proof.workload import NotHereError, Row, Start, Workload

EXAMPLES = 3
SHOWN = 600
"""Characters of an example: enough for its frames on both ends."""


def measure(workload: Workload, slowness: float = 1) -> Row:
    """Profile, and judge.

    slowness: of this machine's CPUs. A command, which takes so much longer here, is sampled so
    much less often: what ebprof does for a sample takes longer as well. Raises nothing: what is
    missing here, and what went wrong, is in the row.
    """
    row = Row(workload.name, os.uname().release, workload.bar)
    try:
        with workload.start() as aim:
            options = ["--no-inline", *aim.options]
            if aim.command:
                options += ["-F", round(FREQUENCY / slowness)]
            else:
                options += ["-F", FREQUENCY, "-d", workload.seconds]
            done = record(options, [*aim.command], output_format="json")
            return judge(row, workload, list(read(json.loads(done.output))), done.stats)
    except (NotHereError, targets.MissingCompilerError) as error:
        return _with(row, absent=str(error))
    except Exception as error:  # the next workload has its turn all the same
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return _with(row, failure=lines[-1])


def measure_together(workloads: Sequence[Workload]) -> list[Row]:
    """Profile processes in one run, and judge each by its own samples.

    Their workloads start a process each. Raises whatever goes wrong, a missing compiler too.
    """
    found, stats = stacks_of([workload.start for workload in workloads])
    return [
        judge(Row(workload.name, os.uname().release, workload.bar), workload, stacks, stats)
        for workload, stacks in zip(workloads, found, strict=True)
    ]


def stacks_of(
    starts: Sequence[Start], work: float = WORK_SECONDS_EACH
) -> tuple[list[list[Stack]], dict[str, Any]]:
    """Profile processes in one run: the stacks of each, and the run's statistics.

    work: seconds of CPU time for each of them.
    """
    with ExitStack() as running:
        pids = []
        for start in starts:
            pids.append(running.enter_context(start()).pid)
            os.kill(pids[-1], signal.SIGSTOP)  # the next one is compiled meanwhile
        done = record_each(pids, work=work)
    stacks = list(read(json.loads(done.output)))
    return [[stack for stack in stacks if stack.pid == pid] for pid in pids], done.stats


def judge(row: Row, workload: Workload, stacks: list[Stack], stats: dict[str, Any]) -> Row:
    """The row's figures, from the stacks of a run and its statistics."""
    stops, wrong = Counter[str](), Counter[str]()
    for stack in stacks:
        stops[stack.stop] += stack.count
        if stack.stop != NO_USER_STACK and not workload.truth(stack):
            wrong[describe(stack)] += stack.count
    samples = stops.total() - stops[NO_USER_STACK]
    losses = {c.name for c in ALL_COUNTERS if c.is_loss}
    return _with(
        row,
        samples=samples,
        complete=stops["complete"],
        right=samples - wrong.total(),
        lost=int(stats["samples"]["lost"]),
        stops=dict(stops.most_common()),
        losses={name: n for name, n in stats["counters"].items() if name in losses},
        wrong=[f"{count} x {text}" for text, count in wrong.most_common(EXAMPLES)],
    )


def describe(stack: Stack) -> str:
    """On one line: why it ended, and its frames, the middle left out of a long one."""
    text = ";".join([stack.comm, *(frame.function for frame in stack.frames)])
    if len(text) > SHOWN:
        text = f"{text[: SHOWN // 2]} ... {text[-SHOWN // 2 :]}"
    return f"{stack.stop}: {text}"


def _with(row: Row, **values: Any) -> Row:
    return Row(row.workload, row.kernel, row.bar, **values)
