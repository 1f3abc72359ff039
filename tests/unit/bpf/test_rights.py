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
    return rights.advice(rights.PARANOID)


def test_a_user_is_told_to_become_root(machine: Machine) -> None:
    machine.be(USER, NONE, perf_event_paranoid="3\n")
    assert perf_advice() == (
        "user 1000 lacks CAP_BPF and CAP_PERFMON (kernel.perf_event_paranoid is 3): "
        "run as root, or grant them"
    )
    assert rights.lacking() == ("CAP_BPF", "CAP_PERFMON")


@pytest.mark.parametrize("missing", [("CAP_BPF",), ("CAP_PERFMON",), ("CAP_BPF", "CAP_PERFMON")])
def test_root_without_capabilities(machine: Machine, missing: tuple[str, ...]) -> None:
    held = ALL & ~(1 << rights.CAPABILITIES["CAP_SYS_ADMIN"])
    for name in missing:
        held &= ~(1 << rights.CAPABILITIES[name])
    machine.be(held=held, unprivileged_bpf_disabled="2\n", seccomp=2)
    assert rights.lacking() == missing
    advice = rights.advice(rights.UNPRIVILEGED_BPF)
    assert f"root lacks {' and '.join(missing)} here" in advice
    assert all(f"--cap-add {name.removeprefix('CAP_')}" in advice for name in missing)
    assert "kernel.unprivileged_bpf_disabled is 2" in advice
    assert "seccomp" in advice


def test_admin_is_as_good_as_both(machine: Machine) -> None:
    machine.be(USER, 1 << rights.CAPABILITIES["CAP_SYS_ADMIN"])
    assert rights.lacking() == ()


def test_root_of_a_user_namespace(machine: Machine) -> None:
    machine.be(namespace="user:[4026532000]")
    assert rights.lacking() == rights.NEEDED
    assert "user namespace" in perf_advice()


def test_root_with_all_rights(machine: Machine) -> None:
    assert rights.lacking() == ()
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


def test_a_refusal_for_want_of_rights_is_one_line(machine: Machine) -> None:
    log = "libbpf: elf: skipping section\nlibbpf: prog 'x': load failed: Operation not permitted"
    refused = bpf_object.refusal("BPF object x", errno.EPERM, log)
    assert isinstance(refused, UnsupportedError)
    assert "\n" not in refused.message and "libbpf" not in refused.message
    machine.be(held=ALL & ~(1 << 21 | 1 << 38))  # all but CAP_SYS_ADMIN and CAP_PERFMON
    for code in (errno.EPERM, errno.EACCES):
        refused = bpf_object.refusal("BPF object x", code, log)
        assert isinstance(refused, NoPermissionError)
        assert refused.message == f"the kernel refused BPF object x ({os.strerror(code)})"
        assert "root lacks CAP_PERFMON here" in refused.hint


def test_what_cannot_be_read_is_not_taken_for_missing(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "STATUS", tmp_path / "nothing")
    assert rights.lacking() == ()
