"""Tracepoints sock_send_length and sock_recv_length: they work under lockdown (Linux 6.3)."""

from __future__ import annotations

from ebprof.bpf import probe
from ebprof.bpf.traffic import TrafficPrograms
from ebprof.traffic.backends._backend import Backend

BACKEND = Backend(
    name="tp_btf",
    help="tracepoints sock_send_length and sock_recv_length",
    remedy="Linux 6.3 or newer with CONFIG_DEBUG_INFO_BTF=y",
    rank=3,
    programs=TrafficPrograms("traffic_tp_btf", calls=("on_send", "on_receive")),
    check=lambda: probe.check_attach("on_sock_send_length"),
)
