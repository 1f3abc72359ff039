"""Ways to see sends and receives, one a module with a `BACKEND`; the best that works is chosen."""

from __future__ import annotations

import importlib

from ebprof import plugins
from ebprof.bpf.traffic import TrafficSession
from ebprof.errors import UnsupportedError, UsageError
from ebprof.traffic.backends._backend import Backend


def all_backends() -> list[Backend]:
    """Every backend, best first."""
    package = importlib.import_module(__name__)
    modules = (plugins.load(package, name) for name in plugins.module_names(package))
    found = [module.BACKEND for module in modules if module is not None]
    return sorted(found, key=lambda backend: backend.rank)


def open_session(name: str | None = None) -> tuple[Backend, TrafficSession]:
    """Load the backend of this name, or the best that this kernel accepts.

    Raises UsageError for a name that there is not, UnsupportedError with the reason (of each, when
    none works), NoPermissionError without the right to load BPF programs.
    """
    backends = all_backends()
    if name is not None:
        backend = _named(backends, name)
        return backend, backend.open()
    reasons: list[str] = []
    for backend in backends:
        session = _open_or_reason(backend, reasons)
        if session is not None:
            return backend, session
    raise UnsupportedError(
        f"no way to see TCP traffic on this kernel ({'; '.join(reasons)})",
        "run `ebprof doctor` to see what this kernel lacks",
    )


def _open_or_reason(backend: Backend, reasons: list[str]) -> TrafficSession | None:
    try:
        return backend.open()
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
