"""bcc as the loader, also by the headers of another kernel: what differs is read from BTF."""

from __future__ import annotations

import pytest

from ebprof.bpf.bcc import BccObject, headers
from tests import bcc, needed, targets
from tests.live.profiled import assert_complete, assert_leads_back, profile


@pytest.fixture(autouse=True)
def _by_bcc(monkeypatch: pytest.MonkeyPatch) -> None:
    needed.skip_without("lockdown")  # kernel memory is read by address
    bcc.skip_without(monkeypatch)


def test_system_calls_lead_back_to_main() -> None:
    with targets.running("syscalls", "getppid") as target:
        done = profile("--loader", "bcc", "-p", target.pid)
    assert_complete(done)
    assert_leads_back(done, "main", "handle", "ask_parent")


def test_programs_for_traffic_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fields lie in sockets is another matter: the headers may be those of another kernel."""
    monkeypatch.setattr(headers.Headers, "check_release", lambda _: None)
    with BccObject("traffic_kprobe") as made:
        for needs_btf in ("on_seed_listeners", "on_seed_sockets"):
            made.skip_program(needs_btf)
        made.load()
        for program in ("on_set_state", "on_destroy", "on_drain", "on_send", "on_receive"):
            assert made.program_fd(program) >= 0
