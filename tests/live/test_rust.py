"""Rust: demangled names, closures, recursion; and a program without symbols."""

from __future__ import annotations

from tests import targets
from tests.live.profiled import assert_complete, assert_most, assert_share, profile

DEPTH = 20


def test_rust_program() -> None:
    with targets.running("rustwork") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    assert_share(done.count_of("rustwork::closures"), done.total, 0.5)
    deep = done.count(lambda stack: stack.count("rustwork::recurse") == DEPTH)
    assert_share(deep, done.total, 0.5)
    assert_most(done.count_of("rustwork::main"), done.total, 0.99)


def test_stripped_rust_program() -> None:
    with targets.running("rustwork", variant="stripped") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    deep = done.count(lambda stack: len(stack) > DEPTH)
    assert_share(deep, done.total, 0.5)
