"""Kprobes on tcp_sendmsg and tcp_cleanup_rbuf: where the kernel has no BPF trampolines."""

from __future__ import annotations

from ebprof.bpf import probe
from ebprof.bpf.traffic import TrafficPrograms
from ebprof.traffic.backends._backend import Backend

BACKEND = Backend(
    name="kprobe",
    help="kprobes on tcp_sendmsg and tcp_cleanup_rbuf",
    remedy="Linux 5.11 or newer with CONFIG_KPROBE_EVENTS=y that is not locked down",
    rank=2,
    programs=TrafficPrograms(
        "traffic_kprobe",
        calls=("on_send", "on_receive"),
        optional=(
            ("on_send_page", "tcp_sendpage"),
            ("on_mptcp_send", "mptcp_sendmsg"),
            ("on_mptcp_receive", "mptcp_recvmsg"),
        ),
    ),
    check=probe.check_kprobe,
    by_bcc=True,
)
