"""Finds what is pluggable: the modules of one of our packages, and entry points of others."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def module_names(package: ModuleType) -> list[str]:
    """Names of the public modules in a package, sorted; nothing is imported."""
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in names if not name.startswith("_"))


def load(package: ModuleType, name: str) -> ModuleType | None:
    """The module `name` of a package, or the third-party entry point of that name.

    Entry points are looked up in the group named like the package (`ebprof.outputs` for
    `ebprof.output`, in the plural). Returns None when there is no such module; a third party's
    module that fails to import costs one warning on stderr, never the run.
    """
    if name in module_names(package):
        return importlib.import_module(f"{package.__name__}.{name}")
    for entry in _entries(package):
        if entry.name == name:
            return _load_entry(entry.name, entry.value)
    return None


def names(package: ModuleType) -> list[str]:
    """All names that `load` knows for this package, ours and third parties', sorted."""
    found = set(module_names(package))
    found.update(entry.name for entry in _entries(package))
    return sorted(found)


def _entries(package: ModuleType) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 30 ms, which our own modules need not wait for

    name = package.__name__
    return entry_points(group=name if name.endswith("s") else f"{name}s")


def _load_entry(name: str, value: str) -> ModuleType | None:
    try:
        return importlib.import_module(value)
    except Exception as error:
        print(f"ebprof: plug-in {name} ({value}) failed to load: {error!r}", file=sys.stderr)
        return None
