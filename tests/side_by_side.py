"""Which tests run at a time, with `pytest -n 4`: see `group_of`.

The bytes that one live test counts and the stacks that another samples have nothing to do with each
other, and unit tests measure nothing. But no two runs count connections, and of those that look at
the whole machine, or load it with all that there is, one runs at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

LIVE = "tests/live/"
TRAFFIC = f"{LIVE}traffic/"
WHOLE_MACHINE = {
    f"{LIVE}test_{name}.py": frozenset(f"test_{test}" for test in tests)
    for name, tests in {
        "churn": (),
        "events": (
            "page_faults_of_reading_the_records_do_not_feed_themselves",
            "only_threads_of_a_name",
            "only_on_a_cpu",
            "only_a_cgroup",
        ),
        "headless": ("the_whole_machine",),
        "hostile": (
            "mappings_that_change_all_the_time",
            "mappings_that_change_all_the_time_on_a_whole_machine",
            "more_mappings_than_there_is_room_for",
            "a_root_that_changes_all_the_time",
            "an_endless_perf_map",
            "processes_that_are_gone_while_they_are_read",
            "a_surprise_among_all_processes",
            "a_surprise_while_top_shows_all_processes",
        ),
        "new_code": (),
        "processes": (),
        "top": ("text_of_the_whole_machine",),
    }.items()
}
"""Tests that would see each other, by file: those whose processes change more than anybody can
read, and who looks at all processes there are. None named: all tests of the file."""

COLLECTORS = frozenset(
    f"{LIVE}test_{name}.py"
    for name in (
        "agent",
        "agent_crashes",
        "changes",
        "flows",
        "full_store",
        "incidents",
        "make_serve",
        "power_cut",
        "prometheus",
        "protocols",
        "serve",
    )
)
"""Files whose tests run a store: who looks at all processes beside one reads half a gigabyte."""


LAST = f"{LIVE}test_top.py::test_events_that_happen_on_an_idle_cpu"
"""While others run no CPU is idle."""


class SideBySide(LoadScopeScheduling):
    """Hands groups of tests to processes, in the order in which tests are found."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The name of what a test stays together with: its file, or all live tests of its kind."""
    if nodeid == LAST:
        return nodeid
    path, _, test = nodeid.partition("::")
    if path in WHOLE_MACHINE:
        together = WHOLE_MACHINE[path]
        if not together or test.partition("[")[0] in together:
            return "whole machine"
    return "traffic" if path.startswith(TRAFFIC) else path


def turn_of(nodeid: str) -> int:
    """What begins first: what takes longest, so that it does not end last."""
    group = group_of(nodeid)
    if group == LAST:
        return 5
    if group in ("whole machine", "traffic"):
        return 0 if group == "whole machine" else 1
    if group in COLLECTORS:
        return 3
    return 2 if nodeid.startswith(LIVE) else 4
