"""What is counted is said, with its meaning, whether or not there are samples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ebprof.sampling.statistics import (
    ALL_COUNTERS,
    NOT_SAMPLES,
    SampledFigures,
    SampleStatistics,
    StackStatistics,
    Statistics,
    UnwindStatistics,
    summary,
)
from ebprof.watch.ledger import BpfCost, Ledger, ToolCost

NO_SAMPLES = SampleStatistics(0, 0, 0, 0)
TEN_SAMPLES = SampleStatistics(total=10, user=10, kernel_only=0, lost=2)


def statistics(
    samples: SampleStatistics, stop: dict[str, int], counters: dict[str, int]
) -> Statistics:
    figures = SampledFigures(
        event="cpu-clock",
        frequency=99,
        period=0,
        samples=samples,
        stacks=StackStatistics(unique=len(stop), stop=stop),
        unwind=UnwindStatistics(0, 0, 0, 0.0),
    )
    return Ledger(
        subject=figures,
        duration_seconds=1.0,
        bpf=BpfCost(0, 0.0),
        tool=ToolCost(0.0),
        counters=counters,
    )


def test_no_two_counters_have_one_name() -> None:
    names = [counter.name for counter in ALL_COUNTERS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("samples", [NO_SAMPLES, TEN_SAMPLES])
def test_every_counter_is_said_with_its_meaning(samples: SampleStatistics) -> None:
    told = [counter for counter in ALL_COUNTERS if counter.name != NOT_SAMPLES]
    counts = {counter.name: 1000 + i for i, counter in enumerate(told)}
    lines = summary(statistics(samples, {}, counts), "PID 1")
    assert lines[1:-1] == [f"  {one.name} {counts[one.name]:,}: {one.help}" for one in told]


def test_events_outside_the_target_are_no_news() -> None:
    assert len(summary(statistics(TEN_SAMPLES, {"complete": 10}, {NOT_SAMPLES: 7}), "PID 1")) == 2


def test_stop_reasons_come_first_and_the_most_frequent_before_all() -> None:
    stop = {"complete": 6, "read_fault": 1, "no_row": 3}
    lines = summary(statistics(TEN_SAMPLES, stop, {"rules_full": 5}), "PID 1")
    assert "60.0 % of user stacks complete, lost 2" in lines[0]
    assert [line.split()[0] for line in lines[1:-1]] == ["no_row", "read_fault", "rules_full"]


@pytest.mark.parametrize(
    ("cpu_seconds", "said"),
    [
        (0.004, "it had 0.004 s of CPU time"),
        (None, "whatever ran of it did not run at the moment of a sample"),
    ],
)
def test_no_samples_are_explained_by_what_is_known(cpu_seconds: float | None, said: str) -> None:
    none = SampleStatistics(0, 0, 0, 0, cpu_seconds)
    assert summary(statistics(none, {}, {}), "PID 1")[0].endswith(f"lost 0: {said}")


def test_stacks_of_a_kernel_thread_are_not_called_complete() -> None:
    kernel = SampleStatistics(total=10, user=0, kernel_only=10, lost=0)
    assert "no user stacks, lost 0" in summary(statistics(kernel, {}, {}), "PID 2")[0]


def test_time_in_the_kernel_that_was_not_measured_is_not_none() -> None:
    run = statistics(TEN_SAMPLES, {"complete": 10}, {})
    assert summary(run, "PID 1")[-1].startswith("overhead: nothing measured in the kernel; ebprof ")
    timed = replace(run, bpf=BpfCost(1000, 0.002))
    expected = "overhead: 0.200 % of a core in the kernel, 2.0 us a sample; ebprof "
    assert summary(timed, "PID 1")[-1].startswith(expected)
