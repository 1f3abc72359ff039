"""All workloads: each module here is a family of them, WORKLOADS; docs/proof.md has their truth."""

from __future__ import annotations

import importlib
import pkgutil

from tests.proof.workload import Workload


def families() -> dict[str, tuple[Workload, ...]]:
    """Workloads by the name of their module, sorted by it."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return {name: module.WORKLOADS for name, module in modules.items()}


def all_workloads() -> tuple[Workload, ...]:
    """Those of all families, one after the other."""
    return tuple(workload for family in families().values() for workload in family)
