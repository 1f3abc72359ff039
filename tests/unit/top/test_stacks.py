from __future__ import annotations

from ebprof.model import Sample
from ebprof.top.stacks import NO_STACK
from tests.builders import location, stack
from tests.hot import stacks, taken


def test_samples_of_one_stack_are_one_path() -> None:
    known = stacks()
    rows = known.rows(taken("main;f;g_[i]", "main;f;g_[i]", "main;f"))
    assert rows["path"].tolist() == [0, 0, 1]
    assert [known.functions[one].name for one in known.paths[0]] == ["main", "f", "g"]
    assert known.functions[known.leaves[0]].name == "g"
    assert [known.modules[one] for one in known.module_of] == ["demo"] * 3


def test_a_recursive_function_is_on_a_path_once() -> None:
    known = stacks()
    rows = known.rows(taken("main;f;f;f"))
    place, functions = known.expand(rows["path"])
    assert place.tolist() == [0, 0]
    assert [known.functions[one].name for one in functions] == ["main", "f"]


def test_paths_are_expanded_in_any_order() -> None:
    known = stacks()
    rows = known.rows(taken("a;b;c", "d", "a;e"))
    place, functions = known.expand(rows["path"][[2, 0, 2]])
    names = [known.functions[one].name for one in functions]
    assert list(zip(place.tolist(), names, strict=True)) == [
        (0, "a"), (0, "e"), (1, "a"), (1, "b"), (1, "c"), (2, "a"), (2, "e")
    ]  # fmt: skip


def test_a_sample_without_a_stack_is_something() -> None:
    known = stacks()
    known.rows(taken(Sample(1, 1, "x", (), "ring_full", 1)))
    assert [one.name for one in known.functions] == [NO_STACK]


def test_functions_of_one_name_in_two_modules_are_two() -> None:
    known = stacks()
    locations = (location("f"), location("f", mapping=None))
    known.rows(taken(Sample(1, 1, "x", locations, "complete", 1)))
    assert [(one.name, one.module) for one in known.functions] == [("f", ""), ("f", "demo")]


def test_a_process_has_the_name_of_its_first_thread() -> None:
    known = stacks(p7="server")
    known.rows(taken(stack("f", pid=7, tid=8, comm="worker"), stack("f", pid=7, comm="server")))
    assert [(one.pid, one.comm) for one in known.processes] == [(7, "server")]
    assert [(one.tid, one.comm) for one in known.threads] == [(8, "worker"), (7, "server")]
    assert known.process_of.tolist() == [0, 0]


def test_a_process_that_is_gone_has_the_name_of_its_thread() -> None:
    known = stacks()
    known.rows(taken(stack("f", pid=7, tid=8, comm="worker")))
    assert known.processes[0].comm == "worker"


def test_many_paths_keep_their_functions() -> None:
    known = stacks()
    rows = known.rows(taken(*(f"main;f{number}" for number in range(1000))))
    place, functions = known.expand(rows["path"])
    assert len(place) == 2000
    assert [known.functions[one].name for one in functions[-2:]] == ["main", "f999"]
