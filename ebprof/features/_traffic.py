"""The ways to see TCP traffic: each is loaded, attached, and taken back."""

from __future__ import annotations

from collections.abc import Callable

from ebprof.features._bpf import loading
from ebprof.features._feature import Finding, Probe, ok
from ebprof.traffic.backends import Backend, all_backends, open_session


def _try(backend: Backend) -> Callable[[], None]:
    def check() -> None:
        with backend.open() as session:
            session.start()

    return check


def _chosen() -> Finding:
    backend, session = open_session()
    session.close()
    return ok(f"{backend.name} is the best that works: {backend.help}")


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
)
