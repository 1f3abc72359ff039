"""BPF trampolines on tcp_sendmsg and tcp_cleanup_rbuf: the cheapest that sees splice too."""

from __future__ import annotations

from ebprof.bpf import probe
from ebprof.bpf.traffic import TrafficPrograms
from ebprof.traffic.backends._backend import Backend

BACKEND = Backend(
    name="fentry",
    help="fexit on tcp_sendmsg, fentry on tcp_cleanup_rbuf",
    remedy="Linux 5.11 or newer with CONFIG_FUNCTION_TRACER=y that is not locked down",
    rank=1,
    programs=TrafficPrograms(
        "traffic_fentry",
        calls=("on_send", "on_receive"),
        optional=(
            ("on_send_page", "tcp_sendpage"),
            ("on_mptcp_send", "mptcp_sendmsg"),
            ("on_mptcp_receive", "mptcp_recvmsg"),
        ),
        without_mptcp="traffic_fentry_old",
    ),
    check=lambda: probe.check_attach("on_fentry"),
)
