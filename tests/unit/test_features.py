"""Features as data: each probe answers on any machine, as root and as nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from ebprof import features
from ebprof.bpf import loaders, rights
from ebprof.errors import EXIT_FAILURE, NoPermissionError, UnsupportedError
from ebprof.features import LIMITED, MISSING, OK, STATES, UNKNOWN, Feature, Probe, _perf, _system
from ebprof.features._feature import Finding, read_number, read_text
from ebprof.procfs import kernelfs
from ebprof.procfs.kernelfs import FileSystem
from tests import needed, nobody
from tests.kernel_files import kernel_files

ALL_CAPABILITIES = "000001ffffffffff"


def feature(state: str, *, required: bool = False) -> Feature:
    return Feature("name", state, "detail", "lost", "remedy", required)


def looking(error: Exception) -> Probe:
    def look() -> Finding:
        raise error

    return Probe("name", look, "lost", "remedy", required=True)


def status(path: Path, effective: str) -> str:
    path.write_text(f"Name:\tx\nCapPrm:\t{ALL_CAPABILITIES}\nCapEff:\t{effective}\n")
    return str(path)


def test_names_are_distinct_identifiers() -> None:
    names = [probe.name for probe in features.PROBES]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.islower() for name in names)


def test_every_probe_says_what_is_lost_and_what_to_do() -> None:
    for probe in features.PROBES:
        assert probe.lost and "\n" not in probe.lost, probe.name
        assert probe.remedy and "\n" not in probe.remedy, probe.name
        assert "as root" not in probe.remedy, probe.name  # whoever reads it may be


def test_every_feature_can_be_looked_for() -> None:
    found = [needed.found(probe.name) for probe in features.PROBES]
    assert [one.name for one in found] == [probe.name for probe in features.PROBES]
    for one in found:
        assert one.state in STATES
        assert one.detail and "\n" not in one.detail, one.name


def test_one_feature_by_name() -> None:
    assert features.probe("kernel").detail.startswith(f"Linux {os.uname().release} on ")
    with pytest.raises(KeyError):
        features.probe("nonesuch")


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (UnsupportedError("the kernel refused it (Invalid argument):\nlog\nlog"), "Invalid arg"),
        (NoPermissionError("needs root"), "needs root"),
        (PermissionError(13, "Permission denied", "/proc/x"), "/proc/x"),
    ],
)
def test_what_cannot_be_had_is_missing_with_one_line_of_reason(
    error: Exception, detail: str
) -> None:
    found = looking(error).run()
    assert (found.state, found.required) == (MISSING, True)
    assert detail in found.detail and "\n" not in found.detail


def test_only_required_features_that_are_missing_forbid_a_profile() -> None:
    fine = [feature(MISSING), feature(LIMITED, required=True), feature(UNKNOWN, required=True)]
    assert features.can_profile(fine)
    assert not features.can_profile([*fine, feature(MISSING, required=True)])


def test_files_that_are_not_there_or_hold_no_number(tmp_path: Path) -> None:
    file = tmp_path / "sysctl"
    assert (read_text(file), read_number(file)) == ("", None)
    for text, number in (("-1\n", -1), ("127\n", 127), ("none\n", None), ("", None)):
        file.write_text(text)
        assert read_number(file) == number


@pytest.mark.parametrize(
    ("text", "state", "detail"),
    [
        ("[none] integrity confidentiality\n", OK, "none"),
        ("none [integrity] confidentiality\n", OK, "integrity: "),
        ("none integrity [confidentiality]\n", LIMITED, "confidentiality: "),
        ("none integrity [paranoia]\n", UNKNOWN, "names no mode"),
        ("none integrity confidentiality\n", UNKNOWN, "names no mode"),
        ("", UNKNOWN, "names no mode"),
    ],
)
def test_lockdown(
    text: str, state: str, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_files(monkeypatch, tmp_path)
    (tmp_path / "lockdown").write_text(text)
    found = features.probe("lockdown")
    assert found.state == state
    assert detail in found.detail


@pytest.mark.parametrize(
    ("modules", "state"),
    [
        ("capability,landlock,bpf", OK),
        ("capability,lockdown", UNKNOWN),
        ("lockdown\n", UNKNOWN),
        ("", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_no_file_of_lockdown_means_none_only_where_it_is_not_built_in(
    modules: str | None, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_files(monkeypatch, tmp_path)
    if modules is not None:
        (tmp_path / "lsm").write_text(modules)
    assert features.probe("lockdown").state == state


def test_lockdown_is_unknown_where_securityfs_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(system: FileSystem) -> NoReturn:
        raise UnsupportedError(f"{system.name} cannot be had")

    monkeypatch.setattr(kernelfs, "opened", opened)
    found = features.probe("lockdown")
    assert (found.state, found.detail) == (UNKNOWN, "securityfs cannot be had")
    kernel_files(monkeypatch, tmp_path)
    (tmp_path / "lockdown").mkdir()
    assert features.probe("lockdown").state == UNKNOWN


def test_an_empty_tracefs_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_files(monkeypatch, tmp_path)
    assert features.probe("tracefs").state == MISSING
    (tmp_path / "available_events").write_text("sched:sched_switch\n")
    assert features.probe("tracefs").state == OK


@pytest.mark.parametrize(
    ("effective", "state"),
    [
        (ALL_CAPABILITIES, OK),
        ("0000000000200000", LIMITED),  # CAP_SYS_ADMIN alone
        ("000000c000000000", LIMITED),  # CAP_BPF and CAP_PERFMON
        ("0000008000000000", MISSING),  # CAP_BPF alone
        ("0000000000000000", MISSING),
    ],
)
def test_capabilities_are_read_from_the_effective_set(
    effective: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "status"
    status(file, effective)
    monkeypatch.setattr(rights, "STATUS", file)
    monkeypatch.setattr(_system, "_user_namespace", lambda: rights.INITIAL_USER_NAMESPACE)
    assert features.probe("privileges").state == state


def test_capabilities_do_not_count_in_a_user_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "status"
    status(file, ALL_CAPABILITIES)
    monkeypatch.setattr(rights, "STATUS", file)
    monkeypatch.setattr(_system, "_user_namespace", lambda: "user:[4026532000]")
    found = features.probe("privileges")
    assert found.state == MISSING
    assert "user namespace" in found.detail


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("ffffffff81000000 T _text\nffffffff81000010 t f\nffff", OK),
        ("0000000000000000 A first\nffffffff81000010 t f\nffff", OK),
        ("0000000000000000 T _text\n0000000000000000 t f\n0000", MISSING),
        ("", MISSING),
        ("garbage\nmore\n", MISSING),
    ],
)
def test_kernel_symbols_without_addresses_are_none(
    text: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kallsyms"
    file.write_text(text)
    monkeypatch.setattr(_system, "KALLSYMS", file)
    assert features.probe("kernel_symbols").state == state


def test_debuginfod_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGINFOD_URLS", "https://a.example https://b.example")
    assert features.probe("debuginfod").detail == (
        "https://a.example https://b.example, asked with --debuginfod env"
    )
    monkeypatch.setenv("DEBUGINFOD_URLS", " ")
    assert features.probe("debuginfod").state == MISSING


def test_a_debuginfod_server_that_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGINFOD_URLS", "https://a.example debuginfod.example")
    found = features.probe("debuginfod")
    assert found.state == LIMITED
    assert "debuginfod.example" in found.detail


def test_capabilities_that_cannot_be_read_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "status"
    monkeypatch.setattr(rights, "STATUS", file)
    assert features.probe("privileges").state == UNKNOWN
    file.write_text("Name:\tCapEff: ffff\nCapEff:\n")
    assert features.probe("privileges").state == UNKNOWN
    assert features.probe("perf_event_paranoid").state == UNKNOWN


@pytest.mark.parametrize(
    ("effective", "level", "state"),
    [
        (ALL_CAPABILITIES, "4", OK),
        ("0000004000000000", "2", OK),  # CAP_PERFMON
        ("0000000000000000", "2", LIMITED),
        ("0000000000000000", "0", LIMITED),
        ("0000000000000000", "-1", OK),
        (ALL_CAPABILITIES, "", UNKNOWN),
    ],
)
def test_perf_event_paranoid_is_ok_for_whom_it_does_not_bind(
    effective: str, level: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "STATUS", tmp_path / "status")
    status(rights.STATUS, effective)
    monkeypatch.setattr(_perf, "SYSCTL", tmp_path)
    (tmp_path / "perf_event_paranoid").write_text(level)
    assert features.probe("perf_event_paranoid").state == state


def test_perf_event_paranoid_binds_the_root_of_a_user_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "USER_NAMESPACE", tmp_path / "user")
    rights.USER_NAMESPACE.symlink_to("user:[4026532000]")
    monkeypatch.setattr(_perf, "SYSCTL", tmp_path)
    (tmp_path / "perf_event_paranoid").write_text("2")
    assert features.probe("perf_event_paranoid").state == LIMITED


def test_a_kernel_without_user_namespaces_has_the_first_one_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def readlink(path: Path) -> Path:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(Path, "readlink", readlink)
    assert _system._user_namespace() == rights.INITIAL_USER_NAMESPACE


def test_a_setting_that_cannot_be_read_is_not_shown_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_system, "KPTR_RESTRICT", tmp_path / "none")
    assert features.probe("kernel_symbols").detail.endswith("kernel.kptr_restrict=unknown")


def test_btf_that_is_empty_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "KERNEL_BTF", tmp_path / "vmlinux")
    loaders.KERNEL_BTF.touch()
    assert features.probe("btf").state == MISSING


def test_a_compiler_that_was_asked_for_and_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLANG", "/nonexistent/clang -v")
    assert features.probe("clang").state == MISSING


def test_the_cache_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert features.probe("cache").detail.endswith("will be made")
    made = tmp_path / "ebprof" / "symcache"
    made.mkdir(parents=True)
    (made / "x").write_bytes(bytes(3 << 20))
    assert features.probe("cache").detail.endswith("1 files, 3 MiB")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert features.probe("cache").state == MISSING


@pytest.mark.skipif(bool(nobody.missing()), reason=nobody.missing())
def test_as_nobody_everything_is_answered_and_nothing_can_be_loaded() -> None:
    done = nobody.run("doctor", "--json")
    assert (done.returncode, done.stderr) == (EXIT_FAILURE, "")
    found = {values["name"]: Feature(**values) for values in json.loads(done.stdout)}
    assert list(found) == [probe.name for probe in features.PROBES]
    assert found["privileges"].state == MISSING
    assert found["perf_event_program"].state == MISSING
    assert found["fentry"].state == UNKNOWN
    assert found["kernel"].state == OK
    if not Path("/sys/kernel/security/lockdown").exists():
        assert found["lockdown"].state == UNKNOWN
