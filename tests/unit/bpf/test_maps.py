"""What BPF maps are as large as."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from ebprof.bpf import maps
from ebprof.errors import UnsupportedError


def test_where_the_kernel_does_not_say_how_many_cpus_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where /sys is not mounted."""
    assert maps.possible_cpus() > 0
    library = SimpleNamespace(libbpf_num_possible_cpus=lambda: -errno.ENOENT)
    monkeypatch.setattr(maps, "lib", library)
    with pytest.raises(UnsupportedError, match="number of CPUs: No such file"):
        maps.possible_cpus()
