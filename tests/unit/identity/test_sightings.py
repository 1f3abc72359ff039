"""Labels of sampled processes: at first sight, by parents, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ebprof.errors import NoTargetError
from ebprof.identity import sightings
from ebprof.identity.sightings import Places, Sightings
from ebprof.model import CGROUP, COMMAND, CONTAINER, PROCESS, Label, text_of
from ebprof.procfs import process
from ebprof.walls import Walls

FIRST, SECOND = "a" * 64, "b" * 64


def container(made: Sightings, pid: int) -> str:
    """The container of a process; empty for none."""
    return text_of(CONTAINER, made.of(pid))


class Machine:
    """Processes by number, and the containers that they are in; asked: how often each was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.containers: dict[int, str] = {}
        self.asked: list[int] = []
        monkeypatch.setattr(process, "cgroups", self._cgroups)
        monkeypatch.setattr(process, "comm", lambda pid: f"name-{pid}")
        monkeypatch.setattr(process, "command_line", lambda pid: b"./run\0--of\0%d\0" % pid)

    def _cgroups(self, pid: int) -> bytes:
        self.asked.append(pid)
        if pid not in self.containers:
            raise NoTargetError(f"no process {pid}")
        return f"0::/docker/{self.containers[pid]}\n".encode()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_process_is_read_once_and_kept_when_it_has_ended(machine: Machine) -> None:
    made = Sightings(Walls())
    machine.containers = {1: FIRST, 2: ""}
    made.see([1, 2])
    made.see([1, 2])
    assert machine.asked == [1, 2]
    machine.containers.clear()
    made.changed(1)
    assert tuple(container(made, pid) for pid in (1, 2, 3)) == (FIRST, "", "")
    made.see([1])
    assert container(made, 1) == FIRST


@pytest.mark.parametrize(
    "change", [lambda made: made.changed(1), lambda made: made.forked(1, 7)], ids=["exec", "fork"]
)
def test_what_has_changed_is_read_again(
    machine: Machine, change: Callable[[Sightings], None]
) -> None:
    """A runtime enters the container before it executes the container's program."""
    made = Sightings(Walls())
    machine.containers[1] = FIRST
    made.see([1])
    machine.containers[1] = SECOND
    made.see([1])
    assert container(made, 1) == FIRST
    change(made)
    made.see([1])
    assert container(made, 1) == SECOND


def test_who_is_gone_is_where_its_parents_are(machine: Machine) -> None:
    made = Sightings(Walls())
    machine.containers[1] = FIRST
    made.forked(2, 1)
    made.forked(3, 2)
    made.see([3])
    assert container(made, 3) == FIRST
    made.see([9])
    assert container(made, 9) == ""


def test_names_and_command_lines_are_of_the_process_itself(machine: Machine) -> None:
    made = Sightings(Walls())
    machine.containers[1] = FIRST
    made.forked(2, 1)
    made.see([1, 2])
    texts = [[text_of(key, made.of(pid)) for key in (PROCESS, COMMAND, CGROUP)] for pid in (1, 2)]
    place = f"/docker/{FIRST}"
    assert texts == [["name-1", "./run --of 1", place], ["", "", place]]


def test_a_command_line_is_cut(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.containers[1] = ""
    monkeypatch.setattr(process, "command_line", lambda pid: b"\x1b\xff" + b"x" * 4000)
    made = Sightings(Walls())
    made.see([1])
    assert text_of(COMMAND, made.of(1)) == "\ufffd" * 2 + "x" * (sightings.MAX_COMMAND - 2)


def test_a_circle_of_parents_ends(machine: Machine) -> None:
    made = Sightings(Walls())
    made.forked(1, 2)
    made.forked(2, 1)
    made.see([1])
    assert container(made, 1) == ""


def test_memory_is_bounded(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "MAX_PROCESSES", 3)
    monkeypatch.setattr(sightings, "MAX_TEXTS", 2)
    places = Places()
    made = Sightings(Walls(), places.labels)
    for pid in range(1, 6):
        machine.containers[pid] = f"{pid:064}"
        made.forked(pid, 1)
        made.see([pid])
    assert [container(made, pid) for pid in range(1, 6)] == [
        "",
        "",
        *(f"{n:064}" for n in (3, 4, 5)),
    ]
    assert len(places._by_text) == 2
    assert len(made._parents) == 3


def test_labels_are_what_the_reader_says() -> None:
    made = Sightings(Walls(), lambda pid: (Label("pid", number=pid),))
    made.see([7])
    assert made.of(7) == (Label("pid", number=7),)
