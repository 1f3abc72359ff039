"""Whom to sample: CPUs, cgroups, kernel threads; and by what to unwind."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof.identity.cgroups import cgroup_roots
from tests import targets
from tests.live.cgroups import new_cgroup
from tests.live.profiled import (
    FREQUENCY,
    SOME,
    assert_complete,
    assert_most,
    profile,
    record,
    record_each,
)

KTHREADD = 2


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of the hierarchy that perf events know."""
    with new_cgroup(cgroup_roots()) as made:
        yield made


@pytest.mark.vm
def test_only_what_is_in_a_cgroup(cgroup: Path) -> None:
    with targets.running("split") as inside, targets.running("recursion"):
        (cgroup / "cgroup.procs").write_text(str(inside.pid))
        done = profile("-G", cgroup.name, work_of=[inside.pid])
        (cgroup.parent / "cgroup.procs").write_text(str(inside.pid))
    assert done.total > SOME
    assert done.count_comm("split") == done.total
    assert_most(done.stops["complete"], done.total, 0.995)


CONTAINER = f"{os.getpid():x}".ljust(64, "e")


@pytest.fixture
def contained(cgroup: Path) -> Iterator[Path]:
    """A cgroup in that of a container."""
    place = cgroup / f"docker-{CONTAINER}.scope"
    inner = place / "init"
    inner.mkdir(parents=True)
    yield inner
    for pid in (inner / "cgroup.procs").read_text().split():
        (cgroup.parent / "cgroup.procs").write_text(pid)
    inner.rmdir()
    place.rmdir()


@pytest.mark.vm
def test_only_what_is_in_a_container(contained: Path) -> None:
    """Any beginning of its ID will do."""
    with targets.running("split") as inside, targets.running("recursion"):
        (contained / "cgroup.procs").write_text(str(inside.pid))
        done = profile("--container", CONTAINER[:12], work_of=[inside.pid])
    assert done.total > SOME
    assert done.count_comm("split") == done.total


@pytest.mark.vm
def test_samples_have_their_container_as_a_label(contained: Path) -> None:
    with targets.running("split") as inside, targets.running("recursion") as outside:
        (contained / "cgroup.procs").write_text(str(inside.pid))
        done = record_each([inside.pid, outside.pid])
    labels = {
        one["pid"]: {label["key"]: label["text"] for label in one["labels"]}
        for one in json.loads(done.output)["samples"]
    }
    assert labels.keys() == {inside.pid, outside.pid}
    assert labels[inside.pid]["container"] == CONTAINER
    assert "container" not in labels[outside.pid]
    for pid, name in ((inside.pid, "split"), (outside.pid, "recursion")):
        assert labels[pid]["process"] == name and labels[pid]["command"].startswith("/")
    assert labels[inside.pid]["cgroup"].endswith("/init")


@pytest.mark.vm
def test_only_on_one_cpu() -> None:
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    if first == last:
        pytest.skip("one CPU only")
    with targets.running("split") as here, targets.running("recursion") as there:
        os.sched_setaffinity(here.pid, {first})
        os.sched_setaffinity(there.pid, {last})
        done = record(["-a", "-C", first, "-F", FREQUENCY, "-d", 2], [], output_format="json")
    samples = Counter[int]()
    for sample in json.loads(done.output)["samples"]:
        samples[sample["pid"]] += sample["count"]
    assert samples[here.pid] > SOME
    assert samples[there.pid] == 0


@pytest.mark.vm
def test_a_kernel_thread_has_no_user_stack() -> None:
    done = profile("-p", KTHREADD, seconds=1)
    assert done.stats["samples"]["user"] == 0
    assert done.stats["samples"]["lost"] == 0


@pytest.mark.vm
def test_frame_pointers_alone_lose_the_callers_of_code_without_them() -> None:
    with targets.running("recursion") as target:
        tables = profile("-p", target.pid, "--call-graph", "dwarf")
        pointers = profile("-p", target.pid, "--call-graph", "fp")
    assert_complete(tables)
    assert_most(tables.count_of("main"), tables.total, 0.995)
    assert pointers.count_of("leaf") > 0 or pointers.count_of("spin") > 0
    assert pointers.count_of("main") < 0.5 * pointers.total


def test_frame_pointers_alone_are_enough_for_code_that_keeps_them() -> None:
    with targets.running("recursion", variant="fp") as target:
        done = profile("-p", target.pid, "--call-graph", "fp")
    assert_most(done.count_of("main"), done.total, 0.99)
