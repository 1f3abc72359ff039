"""Sources of events in sysfs, which need not be mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.bpf import devices
from ebprof.errors import UnsupportedError


def test_the_number_of_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "SOURCES", tmp_path)
    (tmp_path / "uprobe").mkdir()
    (tmp_path / "uprobe/type").write_text("9\n")
    assert devices.probe_type("uprobe") == 9


def test_a_kernel_without_kprobes_is_not_one_without_sysfs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "SOURCES", tmp_path)
    with pytest.raises(UnsupportedError, match="kernel built without CONFIG_KPROBE_EVENTS"):
        devices.probe_type("kprobe")
    monkeypatch.setattr(devices, "SOURCES", tmp_path / "none")
    with pytest.raises(UnsupportedError, match="cannot look for kprobes") as caught:
        devices.probe_type("kprobe")
    assert "mount" in caught.value.hint
