"""Live tests load BPF programs and sample real processes; where they cannot, they say why."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from ebprof import features
from tests import targets

HERE = Path(__file__).parent
TRAFFIC = HERE / "traffic"
BPF_PROG_TYPE_PERF_EVENT = 7


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this directory's tests `live`, and skip them by name where they cannot run.

    Those of traffic are all `vm`, as most of what they hook is nowhere else. All need that traffic
    can be seen, which Linux 5.10 does not let anybody.
    """
    reason = missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("live")
            if TRAFFIC in item.path.parents:
                item.add_marker("vm")
                item.add_marker(pytest.mark.needs("traffic", features.OK, features.LIMITED))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Turn a missing compiler into a skip."""
    outcome = yield
    error = outcome.excinfo  # type: ignore[attr-defined]
    if error and isinstance(error[1], targets.MissingCompilerError):
        outcome.force_exception(pytest.skip.Exception(str(error[1])))  # type: ignore[attr-defined]


@cache
def missing() -> str:
    """What this machine lacks for live tests; empty when nothing."""
    if os.geteuid() != 0:
        return "not root"
    if find_spec("ebprof._native") is None:
        return "ebprof._native is not built"
    return "" if _has_perf_event_programs() else "the kernel refuses BPF programs on perf events"


def _has_perf_event_programs() -> bool:
    libbpf = ctypes.CDLL("libbpf.so.1")
    return bool(libbpf.libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_PERF_EVENT, None) == 1)
