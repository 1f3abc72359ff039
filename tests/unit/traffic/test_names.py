"""Reverse DNS never holds anything up, and its answers are untrusted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ebprof.traffic import names
from ebprof.traffic.names import Names, look_up


def wait_for(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def test_name_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(names, "look_up", lambda address: answer.wait() and f"host-{address}")
    resolver = Names()
    assert resolver.name_of("10.0.0.1") is None
    assert resolver.name_of("10.0.0.2") is None
    answer.set()
    assert wait_for(lambda: resolver.name_of("10.0.0.1")) == "host-10.0.0.1"
    assert wait_for(lambda: resolver.name_of("10.0.0.2")) == "host-10.0.0.2"


def test_an_address_without_a_name_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def none(address: str) -> str | None:
        asked.append(address)
        return "last" if address == "last" else None

    monkeypatch.setattr(names, "look_up", none)
    resolver = Names()
    for _ in range(50):
        resolver.name_of("10.0.0.1")
    wait_for(lambda: resolver.name_of("last"))
    assert asked == ["10.0.0.1", "last"]


def test_queue_and_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(names, "look_up", lambda address: answer.wait() and f"host-{address}")
    monkeypatch.setattr(names, "MAX_NAMES", 10)
    resolver = Names()
    for number in range(1000):
        assert resolver.name_of(f"10.0.0.{number}") is None
    assert resolver._waiting.qsize() <= names.MAX_WAITING
    assert len(resolver._names) == 10
    answer.set()
    assert wait_for(lambda: resolver.name_of("late")) == "host-late"
    assert len(resolver._names) == 10


def test_hostile_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getnameinfo", lambda *_: ("a\x1b[2J\nb" + "x" * 999, "0"))
    name = look_up("10.0.0.1")
    assert name is not None
    assert name.startswith("a\ufffd[2J\ufffdb") and len(name) == 255


def test_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "none")

    monkeypatch.setattr(socket, "getnameinfo", refuse)
    assert look_up("10.0.0.1") is None
