"""Ways to see sends and receives, one a module with a `BACKEND`; the best that works is chosen."""

from __future__ import annotations

import importlib

from ebprof import plugins
from ebprof._native import lib
from ebprof.bpf import loaders
from ebprof.bpf.traffic import TrafficSession
from ebprof.errors import UnsupportedError, UsageError
from ebprof.traffic.backends._backend import Backend
from ebprof.walls import Walls


def all_backends() -> list[Backend]:
    """Every backend, best first."""
    package = importlib.import_module(__name__)
    modules = (plugins.load(package, name) for name in plugins.module_names(package))
    found = [module.BACKEND for module in modules if module is not None]
    return sorted(found, key=lambda backend: backend.rank)


def open_session(
    name: str | None = None,
    loader: str = loaders.AUTO,
    walls: Walls | None = None,
    *,
    pairing: int = lib.PAIRING_OFF,
) -> tuple[Backend, TrafficSession]:
    """Load the backend of this name, or the best that this kernel accepts, by one of LOADERS.

    Raises UsageError for a name that there is not, UnsupportedError with the reason (of each, when
    none works), NoPermissionError without the right to load BPF programs. walls, pairing: see
    Backend.open.
    """
    backends = all_backends()
    if name is not None:
        backend = _named(backends, name)
        return backend, backend.open(loader, walls, pairing=pairing)
    reasons: list[str] = []
    for backend in filter(lambda one: one.is_for(loader), backends):
        session = _open_or_reason(backend, loader, walls, pairing, reasons)
        if session is not None:
            return backend, session
    raise UnsupportedError(
        f"{loaders.choose(loader)} has no way to see TCP traffic on this kernel"
        f" ({'; '.join(reasons)})",
        "run `ebprof doctor` to see what this kernel lacks",
    )


def _open_or_reason(
    backend: Backend, loader: str, walls: Walls | None, pairing: int, reasons: list[str]
) -> TrafficSession | None:
    try:
        return backend.open(loader, walls, pairing=pairing)
    except UnsupportedError as error:
        reasons.append(f"{backend.name}: {error.message.splitlines()[0]}")
        return None


def _named(backends: list[Backend], name: str) -> Backend:
    for backend in backends:
        if backend.name == name:
            return backend
    names = ", ".join(backend.name for backend in backends)
    raise UsageError(f"no backend {name!r}", f"choose one of {names}")


__all__ = ["Backend", "all_backends", "open_session"]
