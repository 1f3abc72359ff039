from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ebprof.model import Profile
from ebprof.output import _tree
from tests.builders import profile, stack


def nodes(one: Profile) -> dict[str, tuple[int, int]]:
    """Path -> (start, count) of every node, found by nesting alone."""
    walked = sorted(_tree.walk(_tree.build(one)), key=lambda node: (node.start, node.depth))
    path: list[str] = []
    found = {}
    for node in walked:
        path[node.depth :] = [node.function.name]
        found[";".join(path)] = (node.start, node.count)
    return found


def test_common_callers_are_merged() -> None:
    assert nodes(profile(stack("main;f", 2), stack("main;g", 3), stack("main", 1))) == {
        "demo": (0, 6),
        "demo;main": (0, 6),
        "demo;main;f": (1, 2),
        "demo;main;g": (3, 3),
    }


def test_processes_stand_side_by_side() -> None:
    assert nodes(profile(stack("main", 2, comm="b"), stack("main", 3, comm="a"))) == {
        "a": (0, 3),
        "a;main": (0, 3),
        "b": (3, 2),
        "b;main": (3, 2),
    }


def test_incomplete_stacks_stand_under_their_reason() -> None:
    assert nodes(profile(stack("f", 2, stop="no_row"), stack("f", 3, stop="no_user_stack"))) == {
        "demo": (0, 5),
        "demo;[incomplete: no_row]": (0, 2),
        "demo;[incomplete: no_row];f": (0, 2),
        "demo;f": (2, 3),
    }


def test_small_nodes_are_left_out() -> None:
    tree = _tree.build(profile(stack("main;f", 1), stack("main;g", 9)))
    assert {node.function.name for node in _tree.walk(tree, least=2)} == {"demo", "main", "g"}


def test_no_samples() -> None:
    assert nodes(profile()) == {}


@given(st.lists(st.tuples(st.lists(st.sampled_from("abc"), max_size=6), st.integers(1, 9))))
def test_counts_are_those_of_all_prefixes(stacks: list[tuple[list[str], int]]) -> None:
    wanted: Counter[str] = Counter()
    for names, count in stacks:
        for depth in range(len(names) + 1):
            wanted[";".join(["demo", *names[:depth]])] += count
    found = nodes(profile(*(stack(";".join(names), count) for names, count in stacks)))
    assert {path: count for path, (_, count) in found.items()} == wanted
