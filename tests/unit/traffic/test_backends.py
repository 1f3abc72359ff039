"""Which backend is chosen, and what is said when none works."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ebprof.errors import NoPermissionError, UnsupportedError, UsageError
from ebprof.traffic import backends


class Loaded:
    """Stands for a session; remembers the object it was made of."""

    def __init__(self, programs: Any, loader: str, **_: Any) -> None:
        self.name = programs.object_name
        self.loader = loader


def refuse(reason: str) -> Any:
    def check() -> None:
        raise UnsupportedError(reason)

    return check


@pytest.fixture(autouse=True)
def _no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebprof.traffic.backends._backend.TrafficSession", Loaded)


def kernel_that_refuses(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    found = [
        replace(one, check=refuse(f"no {one.name} here") if one.name in names else lambda: None)
        for one in backends.all_backends()
    ]
    monkeypatch.setattr(backends, "all_backends", lambda: found)


def opened(name: str | None = None) -> tuple[str, Any]:
    backend, session = backends.open_session(name)
    return backend.name, session


def test_the_best_comes_first() -> None:
    assert [one.name for one in backends.all_backends()] == ["fentry", "kprobe", "tp_btf", "states"]


@pytest.mark.parametrize(
    ("refused", "chosen"),
    [
        ((), "fentry"),
        (("fentry",), "kprobe"),
        (("fentry", "kprobe"), "tp_btf"),
        (("fentry", "kprobe", "tp_btf"), "states"),
    ],
)
def test_the_best_that_works_is_chosen(
    monkeypatch: pytest.MonkeyPatch, refused: tuple[str, ...], chosen: str
) -> None:
    kernel_that_refuses(monkeypatch, *refused)
    name, session = opened()
    assert name == chosen
    assert session.name == f"traffic_{chosen}"


def test_bcc_loads_the_one_that_needs_no_btf(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_that_refuses(monkeypatch)
    backend, session = backends.open_session(loader="bcc")
    assert backend.name == "kprobe"
    assert isinstance(session, Loaded) and session.loader == "bcc"


def test_of_those_that_bcc_cannot_load_no_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_that_refuses(monkeypatch, "kprobe")
    with pytest.raises(UnsupportedError) as caught:
        backends.open_session(loader="bcc")
    assert caught.value.message == (
        "bcc has no way to see TCP traffic on this kernel (kprobe: no kprobe here)"
    )


def test_bcc_says_which_one_it_cannot_load(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_that_refuses(monkeypatch)
    with pytest.raises(UnsupportedError, match="bcc cannot load the backend fentry"):
        backends.open_session("fentry", "bcc")


def test_one_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_that_refuses(monkeypatch)
    assert opened("tp_btf")[0] == "tp_btf"


def test_a_forced_one_that_does_not_work_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_that_refuses(monkeypatch, "kprobe")
    with pytest.raises(UnsupportedError, match="no kprobe here"):
        opened("kprobe")


def test_when_none_works_each_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_that_refuses(monkeypatch, "fentry", "kprobe", "tp_btf", "states")
    with pytest.raises(UnsupportedError) as caught:
        opened()
    for name in ("fentry", "kprobe", "tp_btf", "states"):
        assert f"{name}: no {name} here" in caught.value.message


def test_without_the_right_to_load_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid() -> None:
        raise NoPermissionError("loading BPF programs needs root")

    found = [replace(one, check=forbid) for one in backends.all_backends()]
    monkeypatch.setattr(backends, "all_backends", lambda: found)
    with pytest.raises(NoPermissionError):
        opened()


def test_an_unknown_name_lists_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        opened("ebpf")
    assert "fentry, kprobe, tp_btf, states" in caught.value.hint
