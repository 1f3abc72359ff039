"""The ways to see TCP traffic: each is loaded, attached, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ebprof.bpf.traffic import why_no_mptcp
from ebprof.features._bpf import loading
from ebprof.features._feature import Finding, Probe, missing, ok, unknown
from ebprof.procfs import conntrack
from ebprof.traffic.backends import Backend, all_backends, open_session

_SETTINGS = Path("/proc/sys/net")


def _try(backend: Backend) -> Callable[[], None]:
    def check() -> None:
        with backend.open() as session:
            session.start()

    return check


def _chosen() -> Finding:
    backend, session = open_session()
    session.close()
    return ok(f"{backend.name} is the best that works: {backend.help}")


def _mptcp() -> Finding:
    reason = why_no_mptcp()
    return (
        missing(reason) if reason else ok("a connection of MPTCP is one, whatever subflows it has")
    )


def _translations() -> Finding:
    if not _SETTINGS.is_dir():
        return unknown(f"{_SETTINGS} cannot be seen here")
    try:
        if not conntrack.is_tracking():
            return ok("nothing to read: this kernel tracks no connections, so it translates none")
        conntrack.read_translated(most=1)
    except PermissionError as error:
        return unknown(f"cannot be read: {error.strerror}")
    return ok(f"{conntrack.count_all():,} connections are tracked in this network namespace")


PROBES = (
    Probe(
        "traffic",
        _chosen,
        lost="ebprof traffic",
        remedy="any one of the features traffic_*",
    ),
    *(
        Probe(
            f"traffic_{backend.name}",
            loading(_try(backend), f"attaches: {backend.help}"),
            lost="this way to see TCP traffic; any one will do",
            remedy=backend.remedy,
        )
        for backend in all_backends()
    ),
    Probe(
        "traffic_mptcp",
        _mptcp,
        lost="connections of MPTCP in ebprof traffic: their subflows are shown as connections",
        remedy="Linux 6.8 or newer with CONFIG_MPTCP=y and CONFIG_DEBUG_INFO_BTF=y",
    ),
    Probe(
        "conntrack",
        _translations,
        lost="traffic --to, --from and --port find one end of translated connections (NAT)",
        remedy="CAP_NET_ADMIN, which root has, and a kernel with CONFIG_NF_CT_NETLINK",
    ),
)
