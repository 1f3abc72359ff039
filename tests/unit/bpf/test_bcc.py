"""bcc as the loader, as far as it goes without loading: headers, text, what it says."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

import pytest

from ebprof.bpf import loaders
from ebprof.bpf.bcc import BccObject, compiler, headers, source
from ebprof.bpf.bcc.source import Places
from ebprof.errors import UnsupportedError

RELEASE = os.uname().release


def header_tree(path: Path, release: str, *, common: Path | None = None) -> Path:
    """What of a directory of kernel headers is looked at."""
    generated = path / "include" / "generated"
    generated.mkdir(parents=True)
    (generated / "utsrelease.h").write_text(f'#define UTS_RELEASE "{release}"\n')
    if common:
        (path / "Makefile").write_text(f"include {common}/Makefile\n")
    kconfig = (common or path) / "include" / "linux" / "kconfig.h"
    kconfig.parent.mkdir(parents=True)
    kconfig.touch()
    return path


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(headers.VARIABLE, raising=False)
    monkeypatch.setattr(headers, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(headers, "ARCHIVE", tmp_path / "kheaders.tar.xz")


def test_headers_of_the_running_kernel_are_found_without_being_named(tmp_path: Path) -> None:
    build = header_tree(tmp_path / "modules" / RELEASE / "build", RELEASE)
    found = headers.find_headers()
    assert (found.path, found.release, found.flags) == (str(build), RELEASE, ())
    assert found.environment == {}
    found.check_release()


def test_so_is_the_archive_that_the_kernel_keeps(tmp_path: Path) -> None:
    (tmp_path / "kheaders.tar.xz").touch()
    assert headers.find_headers().release == RELEASE


def test_without_headers_the_error_names_the_package() -> None:
    with pytest.raises(UnsupportedError, match=f"no headers of kernel {RELEASE} for bcc") as caught:
        headers.find_headers()
    assert f"linux-headers-{RELEASE}" in caught.value.hint


def test_others_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = header_tree(tmp_path / "other", "1.2.3")
    monkeypatch.setenv(headers.VARIABLE, str(path))
    found = headers.find_headers()
    assert (found.release, found.flags) == ("1.2.3", ())
    assert found.environment == {headers.VARIABLE: str(path)}
    with pytest.raises(UnsupportedError, match=r"of kernel 1\.2\.3, and"):
        found.check_release()


def test_debian_splits_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    common = tmp_path / "common"
    path = header_tree(tmp_path / "amd64", "1.2.3", common=common)
    monkeypatch.setenv(headers.VARIABLE, str(path))
    found = headers.find_headers()
    assert found.environment == {headers.VARIABLE: str(common)}
    assert f"-I{path}/include" in found.flags
    assert f"-I{path}/arch/x86/include/generated/uapi" in found.flags


def test_what_is_named_must_be_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(headers.VARIABLE, str(tmp_path))
    with pytest.raises(UnsupportedError, match="no directory of kernel headers"):
        headers.find_headers()


def test_the_text_says_where_maps_and_variables_are() -> None:
    places = Places({"counters": 7}, {"want_user": (8, 4)})
    text = source.write("cpu_old", ["on_event"], places, "struct known;")
    ours = text.index('#include "cpu_old.bpf.c"')
    for definition in (
        "#define counters MAP_AT(7)",
        "#define want_user VARIABLE_AT(want_user_variable, 8, 4)",
        "struct known;",
    ):
        assert text.index('#include "bcc.bpf.h"') < text.index(definition) < ours
    assert "int compiled_on_event(void *ctx) { return on_event(ctx); }" in text[ours:]
    assert "EBPROF_SOCKETS" not in text


def test_headers_of_sockets_are_for_programs_that_have_some() -> None:
    text = source.write("traffic_kprobe", [], Places({"sockets": 7}, {}), "")
    assert text.index("#define EBPROF_SOCKETS") < text.index('#include "bcc.bpf.h"')


@pytest.mark.skipif(not loaders.KERNEL_BTF.exists(), reason="the kernel has no BTF")
def test_types_come_from_the_kernel_where_it_has_them() -> None:
    core = (files("ebprof.bpf") / "core.bpf.h").read_text()
    text = source.kernel_types()
    for name in ("task_struct", "mm_struct", "cgroup", "vm_unmapped_area_info"):
        assert f"#define {name} {name}_here" in text
        (body,) = re.findall(rf"^struct {name} \{{(.*?)^\}}", core, re.MULTILINE | re.DOTALL)
        for field in re.findall(r"(\w+)(?:\[\d+\])?;", body):
            assert re.search(rf"struct {{ (char before_{field}\[\d+\]; )?[^;]*\b{field}\b", text)


def test_only_our_own_objects_are_compiled() -> None:
    with pytest.raises(UnsupportedError, match="bcc loads ebprof's own programs only"):
        BccObject(Path("/usr/lib/plugin.bpf.o"))


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("warning: odd\n/x.c:1:2: error: no such type\n1 error generated.\n", "no such type"),
        ("first\nlast\n", "last"),
        ("", "exit code -6"),
    ],
)
def test_what_the_compiler_says_becomes_a_line(log: str, reason: str) -> None:
    assert compiler._reason(log, -6).endswith(reason)


def test_an_interpreter_that_cannot_be_run_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(compiler.CompileError, match="bcc did not run"):
        compiler.compile_programs("", ["f"], [], {})
