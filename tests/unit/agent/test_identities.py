"""Labels of real processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ebprof.agent.identities import Identities
from ebprof.agent.services import Rule
from ebprof.errors import NoTargetError
from ebprof.identity.placement import Placement, parse_placement
from ebprof.procfs import process

KTHREADD = 2


def labels(pid: int, *rules: Rule) -> dict[str, str]:
    return {one.key: one.text for one in Identities("here", rules).labels(pid)}


@pytest.fixture
def child() -> int:  # type: ignore[misc]
    environment = {"OTEL_SERVICE_NAME": "shop", "SECRET": "x", "PATH": os.environ["PATH"]}
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "arg ument"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid
        running.communicate()


def test_a_process_says_its_service(child: int) -> None:
    found = labels(child)
    assert found["service_name"] == "shop"
    assert found["__service_source__"] == "environment"
    assert found["process"] == process.comm(child)
    assert found["node"] == "here"
    assert "SECRET" not in str(found)


def test_rules_see_the_command_line(child: int) -> None:
    assert labels(child, Rule("ruled", command="* arg ument"))["service_name"] == "ruled"


def test_threads_of_the_kernel_are_one_service() -> None:
    if not process.exists(KTHREADD) or not process.is_kernel_thread(KTHREADD):
        pytest.skip("no kernel threads here")
    found = labels(KTHREADD)
    assert found["service_name"] == "kernel"
    assert found["process"] == "kthreadd"


def test_labels_are_sorted_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "cgroups", lambda pid: b"0::/" + b"x" * 9999 + b"\n")
    found = Identities("here", ()).labels(os.getpid())
    assert [one.key for one in found] == sorted(one.key for one in found)
    assert max(len(one.text) for one in found) == 1024


def test_flows_of_a_process_have_the_texts_of_its_labels(child: int) -> None:
    identities = Identities("here", ())
    owner, found = identities.owner(child), labels(child)
    assert (owner.pid, owner.service, owner.source) == (child, "shop", "environment")
    assert owner.process == found["process"]
    assert (owner.cgroup, owner.container) == (
        found.get("cgroup", ""),
        found.get("container_id", ""),
    )


def test_a_process_that_has_ended_has_the_name_that_the_kernel_gave_it() -> None:
    place = parse_placement(b"0::/system.slice/cron.service\n")
    rules = Identities("here", [Rule("ruled", comm="ba*")])
    assert rules.of_ended(7, "bash", place).service == "ruled"
    assert rules.of_ended(7, "sh", place).service == "cron"
    owner = rules.of_ended(7, "sh", Placement())
    assert (owner.pid, owner.process, owner.service, owner.source) == (7, "sh", "sh", "thread")


def test_a_process_that_is_gone() -> None:
    with subprocess.Popen(["true"]) as running:
        running.wait()
    with pytest.raises(NoTargetError):
        labels(running.pid)
