"""No hooks on calls: bytes from the sockets' own counters, at no cost a call (Linux 5.11)."""

from __future__ import annotations

from ebprof.bpf import probe
from ebprof.bpf.traffic import TrafficPrograms
from ebprof.traffic.backends._backend import Backend

BACKEND = Backend(
    name="states",
    help="no hooks on calls, which are not counted; bytes from the sockets at each drain",
    remedy="Linux 5.11 or newer with CONFIG_DEBUG_INFO_BTF=y",
    rank=4,
    programs=TrafficPrograms("traffic_states", calls=(), without_mptcp="traffic_states_old"),
    check=lambda: probe.check_attach("on_exec"),
)
