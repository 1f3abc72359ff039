"""What is said where the kernel refuses: what we lack, and never to root that root is needed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ebprof.bpf import object as bpf_object
from ebprof.bpf import rights
from ebprof.errors import NoPermissionError, UnsupportedError

ALL = (1 << 41) - 1
NONE = 0
WITHOUT_BPF = ALL & ~(1 << 21 | 1 << 38 | 1 << 39)
USER = 1000


class Machine:
    """Whose rights are read instead of ours."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch
        for name in ("STATUS", "USER_NAMESPACE", "LOCKDOWN"):
            monkeypatch.setattr(rights, name, directory / name)
        monkeypatch.setattr(rights, "SYSCTL", directory)
        self.be()

    def be(
        self,
        user: int = 0,
        held: int = ALL,
        seccomp: int = 0,
        namespace: str = "user:[4026531837]",
        **files: str,
    ) -> None:
        self._monkeypatch.setattr(os, "geteuid", lambda: user)
        link = self._directory / "USER_NAMESPACE"
        link.unlink(missing_ok=True)
        link.symlink_to(namespace)
        self.write(STATUS=f"Name:\tx\nCapEff:\t{held:016x}\nSeccomp:\t{seccomp}\n", **files)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self._directory / name).write_text(text)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def perf_advice() -> str:
    return rights.advice("CAP_PERFMON", rights.PARANOID)


def test_a_user_is_told_to_become_root(machine: Machine) -> None:
    machine.be(USER, NONE, perf_event_paranoid="3\n")
    expected = "run as root, or grant CAP_BPF and CAP_PERFMON (kernel.perf_event_paranoid is 3)"
    assert perf_advice() == expected
    assert rights.is_lacking("CAP_PERFMON")


@pytest.mark.parametrize("capability", ["CAP_PERFMON", "CAP_BPF"])
def test_root_without_the_capability(machine: Machine, capability: str) -> None:
    machine.be(held=WITHOUT_BPF, unprivileged_bpf_disabled="2\n", seccomp=2)
    advice = rights.advice(capability, rights.UNPRIVILEGED_BPF)
    assert f"root lacks {capability} here" in advice
    assert "kernel.unprivileged_bpf_disabled is 2" in advice
    assert "seccomp" in advice


def test_root_of_a_user_namespace(machine: Machine) -> None:
    machine.be(namespace="user:[4026532000]")
    assert rights.is_lacking("CAP_BPF")
    assert "user namespace" in perf_advice()


def test_root_with_all_rights(machine: Machine) -> None:
    assert not rights.is_lacking("CAP_BPF")
    assert perf_advice() == "a security module can forbid it; " + perf_advice().partition("; ")[2]
    machine.write(LOCKDOWN="none integrity [confidentiality]\n")
    assert perf_advice() == "kernel lockdown is in its mode confidentiality"
    machine.be(seccomp=2, LOCKDOWN="[none] integrity confidentiality\n")
    assert perf_advice().startswith("a seccomp filter is in force")


@pytest.mark.parametrize("held", [ALL, WITHOUT_BPF, NONE])
@pytest.mark.parametrize("seccomp", [0, 2])
@pytest.mark.parametrize("namespace", ["user:[4026531837]", "user:[1]"])
def test_root_is_never_told_to_be_root(
    machine: Machine, held: int, seccomp: int, namespace: str
) -> None:
    machine.be(0, held, seccomp, namespace)
    for code in (errno.EPERM, errno.EACCES):
        error = bpf_object.refusal("BPF program x", code, "")
        said = f"{error.message} {error.hint} {perf_advice()}"
        assert "as root" not in said and "sudo" not in said
        assert error.hint


def test_a_program_that_the_verifier_refuses_is_no_matter_of_rights(machine: Machine) -> None:
    assert isinstance(bpf_object.refusal("BPF program x", errno.EACCES, "R1"), UnsupportedError)
    machine.be(USER, NONE)
    assert isinstance(bpf_object.refusal("BPF program x", errno.EPERM, ""), NoPermissionError)


def test_what_cannot_be_read_is_not_taken_for_missing(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "STATUS", tmp_path / "nothing")
    assert not rights.is_lacking("CAP_BPF")
