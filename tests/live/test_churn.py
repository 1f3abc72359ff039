"""Long runs, sped up: processes, files and mappings that come and go by the thousand.

With EBPROF_SLOW=1 as many as a busy machine sees in an hour.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import slow, targets
from tests.live.long_runs import LongRun, copies, watch
from tests.live.profiled import COMPLETE_SHARE, SOME, Profiled, Stack, has_calls, profile

PROCESSES = 10_000 if slow.IS_SLOW else 1_500
PROGRAMS = 3_000 if slow.IS_SLOW else 600
MANY_SAMPLES = 4_999
"""Samples a second: 50 times what is usual, so that a minute has those of an hour."""
FLAT = 12 << 20
"""Bytes that memory may differ by: what samples take, and how the C library feels."""
SHORT_LIVED_SHARE = 0.95
TABLE_MEMORY = 4

PLUGIN = """
static __attribute__((noinline, no_icf)) void leaf_{n}(void)
{{
    volatile unsigned long result;
    unsigned long x = 1;

    for (unsigned long i = 0; i < 200000; i++) {{
        x = x * 6364136223846793005UL + 1442695040888963407UL;
        __asm__ volatile("" : "+r"(x));
    }}
    result = x;
    (void)result;
}}

static __attribute__((noinline, no_icf)) void middle_{n}(void)
{{
    volatile char room[64 + 128 * {n}];

    room[0] = 1;
    leaf_{n}();
    __asm__ volatile("" : : "r"(room) : "memory");
}}

__attribute__((visibility("default"))) void plugin_work(void)
{{
    middle_{n}();
    __asm__ volatile("" : : : "memory");
}}
"""


def check_accounts(done: Profiled) -> None:
    """Every sample is in the profile, and has one stop reason."""
    samples = done.stats["samples"]
    assert samples["lost"] == 0
    assert samples["total"] == done.total == sum(done.stops.values())


def check_brief(run: LongRun) -> None:
    """Short-lived processes have their stacks and their symbols."""
    done = run.done
    check_accounts(done)
    assert done.complete_share >= SHORT_LIVED_SHARE, done.stops
    assert done.count_of("brief_leaf") > SOME
    right = done.count_calls("main", "brief_work", "brief_leaf")
    assert right >= 0.99 * done.count_of("brief_leaf")


def sampled(one: str, first: int, other: str, second: int) -> list[pytest.ParameterSet]:
    """Four rows, of which two are slow: each value is in one of those that are not."""
    return [
        pytest.param(one, first),
        pytest.param(other, second),
        pytest.param(one, second, marks=slow.only),
        pytest.param(other, first, marks=slow.only),
    ]


def test_processes_that_come_and_go() -> None:
    programs = [targets.build("brief"), targets.build("brief", "static")]
    churn = [targets.build("churn"), 0, PROCESSES, *programs]
    run = watch("-F", 997, "--", *churn)
    check_brief(run)
    assert run.growth < FLAT
    assert "not_followed" not in run.done.stats["counters"]


def test_programs_that_come_and_go(tmp_path: Path) -> None:
    """Each is another file: what nobody runs any more is closed, and names stay."""
    programs = copies(targets.build("brief"), PROGRAMS, tmp_path)
    run = watch("-F", 997, "--", targets.build("churn"), 0, PROGRAMS, *programs)
    check_brief(run)
    assert run.done.stats["unwind"]["objects"] > PROGRAMS / 2
    if run.done.stats["tool"]["finish_seconds"] < 0.3:  # names were looked up as fast as they came
        assert run.most_files < 256 + 200
        assert run.growth < FLAT


def test_tables_that_need_more_memory_than_there_is(tmp_path: Path) -> None:
    """A static program has 34 kB of tables: those of 120 fit, and some are of who just ended."""
    programs = copies(targets.build("brief", "static"), 200, tmp_path)
    churn = [targets.build("churn"), 0, 4 * len(programs), *programs]
    run = watch("-F", 997, "--table-memory", TABLE_MEMORY, "--", *churn)
    check_brief(run)
    unwind = run.done.stats["unwind"]
    assert unwind["table_bytes"] <= TABLE_MEMORY << 20
    assert unwind["rows"] * 4 > 2 * TABLE_MEMORY << 20, "all together had more"


@slow.only
def test_tables_in_use_that_no_sample_meets_make_room(tmp_path: Path) -> None:
    """Most programs do nothing while one that has no table works."""
    programs = copies(targets.build("brief", "static"), 150, tmp_path)
    running = [subprocess.Popen([program, "60"], stdout=subprocess.DEVNULL) for program in programs]
    try:
        run = watch("-a", "-d", 40, "-F", 997, "--table-memory", TABLE_MEMORY)
    finally:
        for process in running:
            process.kill()
            process.wait()
    check_accounts(run.done)
    counters = run.done.stats["counters"]
    assert counters["tables_full"] > 0
    assert run.done.stats["unwind"]["table_bytes"] <= TABLE_MEMORY << 20


@pytest.mark.parametrize("count", [pytest.param(2_000, marks=slow.only), 9_000])
def test_many_mappings(count: int) -> None:
    with targets.running("mappings", targets.build("plugin"), count) as target:
        done = profile("-p", target.pid, seconds=1.5)
    check_accounts(done)
    right = done.count_calls("run_copies", "plugin_work", "plugin_leaf")
    if count < 8_192:
        assert right >= 0.99 * done.total >= 0.99 * SOME
    else:
        assert done.stats["counters"]["mappings_full"] > 0
        assert right + done.stops.get("no_mapping", 0) >= 0.99 * done.total >= 0.99 * SOME


@pytest.mark.parametrize(("target", "count"), sampled("process", 4_000, "machine", 100))
def test_new_mappings_of_a_process_that_takes_long_to_read(target: str, count: int) -> None:
    """It is read seldom, and samples wait for it."""
    with targets.running("mappings", targets.build("plugin"), count, "new") as running:
        options = ["-p", running.pid] if target == "process" else ["--comm", "mappings"]
        done = profile(*options, work_of=[running.pid], seconds=2.5)
    check_accounts(done)
    right = done.count_calls("run_copies", "plugin_work", "plugin_leaf")
    assert done.complete_share >= COMPLETE_SHARE, done.stops
    assert right >= 0.98 * done.total >= 0.98 * SOME


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Shared objects of one size: each has functions and frames of its own."""
    directory = tmp_path_factory.mktemp("plugins")
    made = []
    for number in range(6):
        source, plugin = directory / f"{number}.c", directory / f"plugin{number}"
        source.write_text(PLUGIN.format(n=number))
        flags = ["-O2", "-fomit-frame-pointer", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, "-o", plugin, source], check=True)
        made.append(plugin)
    return made


@pytest.mark.parametrize(("target", "milliseconds"), sampled("process", 50, "machine", 5))
def test_libraries_at_the_same_addresses(
    target: str, milliseconds: int, plugins: list[Path]
) -> None:
    """Each turn has a thread of its own, whose name says which library is open."""
    with targets.running("swap", milliseconds, *plugins) as running:
        options = ["-p", running.pid] if target == "process" else ["--comm", "plugin2"]
        done = profile(*options, work_of=[running.pid], seconds=2.5)
    right = check_swapped(done, len(plugins))
    assert right > SOME / 2
    if target == "process":  # others may be read only after the first sample
        assert done.complete_share >= 0.6, done.stops


@pytest.mark.parametrize("milliseconds", [5, pytest.param(50, marks=slow.only)])
def test_libraries_that_are_gone_when_ebprof_finds_the_time(
    milliseconds: int, plugins: list[Path]
) -> None:
    """What is open then has taken their place; the process is read for the first time, too."""
    with targets.running("swap", milliseconds, *plugins) as running:
        done = profile(
            *("--comm", "plugin2"), work_of=[running.pid], seconds=4, module="tests.live.late"
        )
    right = check_swapped(done, len(plugins))
    assert right > SOME / 10
    unknown = done.stops.get("no_mapping", 0) + done.stops.get("no_table_yet", 0)
    assert right + unknown >= 0.8 * done.total, done.stops


def check_swapped(done: Profiled, plugins: int) -> int:
    """No sample is in another library than the one that was open; returns how many are in that."""
    check_accounts(done)
    inside = [count_inside(done, number) for number in range(plugins)]
    wrong = sum(wrong for _, wrong in inside)
    right = sum(right for right, _ in inside)
    assert wrong <= 0.005 * right, inside
    return right


def count_inside(done: Profiled, number: int) -> tuple[int, int]:
    """Samples of a library's turns in its own functions, and in those of others."""
    own = "use_plugin", "plugin_work", f"middle_{number}", f"leaf_{number}"

    def is_right(stack: Stack) -> bool:
        return stack[0] == f"plugin{number}" and has_calls(stack, own)

    def is_wrong(stack: Stack) -> bool:
        inside = ("leaf_", "middle_", "[plugin")
        named = {name for name in stack if name.startswith(inside)}
        return stack[0] == f"plugin{number}" and not named <= {*own}

    return done.count(is_right), done.count(is_wrong)


@slow.only
def test_the_samples_of_an_hour() -> None:
    programs = [targets.build("brief"), targets.build("brief", "static")]
    churn = [targets.build("churn"), 0, 20_000, *programs]
    run = watch("-F", MANY_SAMPLES, "--", *churn, seconds_at_most=300)
    check_accounts(run.done)
    assert run.growth < 4 * FLAT
