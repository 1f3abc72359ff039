"""Which network namespaces are found, and getting into them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from ebprof.procfs import networks
from ebprof.procfs.mounts import MountPoint
from ebprof.procfs.networks import Network

OWN = Path("/proc/self/ns/net")

Value = TypeVar("Value")


def aside(call: Callable[[], Value]) -> Value:
    """In a thread that ends."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_our_own_comes_first_and_what_is_gone_not_at_all() -> None:
    first, *others = networks.find_networks([1 << 30, os.getpid()])
    assert first == Network(OWN.stat().st_ino, str(OWN))
    assert others[-1] == Network(first.number, f"/proc/{os.getpid()}/ns/net")
    assert not any(str(1 << 30) in one.path for one in others)


def test_those_with_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "blue").touch()
    mounted = [
        MountPoint(str(tmp_path / "blue"), "nsfs", frozenset()),
        MountPoint(str(tmp_path / "gone"), "nsfs", frozenset()),
        MountPoint(str(tmp_path), "ext4", frozenset()),
    ]
    monkeypatch.setattr(networks, "read_mounts", lambda: iter(mounted))
    found = [one for one in networks.find_networks([]) if one.path.startswith(str(tmp_path))]
    assert found == [Network((tmp_path / "blue").stat().st_ino, str(tmp_path / "blue"))]


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_entering_moves_the_thread_alone() -> None:
    own = Network(OWN.stat().st_ino, str(OWN))
    assert aside(lambda: networks.enter(own)) is None
    assert OWN.stat().st_ino == own.number


def test_what_is_another_namespace_by_now_is_not_entered() -> None:
    with pytest.raises(FileNotFoundError, match="another namespace"):
        aside(lambda: networks.enter(Network(1, str(OWN))))


def test_what_is_no_network_namespace_is_not_entered(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/proc/self/ns/mnt")):
        with pytest.raises(OSError, match="Invalid argument"):
            aside(partial(networks.enter, Network(path.stat().st_ino, str(path))))
