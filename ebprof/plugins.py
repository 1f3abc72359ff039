"""Finds what is pluggable: the modules of one of our packages, and entry points of others.

Each group has a protocol, which our own modules follow too; docs/extending.md explains them.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ebprof.errors import EbprofError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def module_names(package: ModuleType) -> list[str]:
    """Names of the public modules in a package, sorted; nothing is imported."""
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in names if not name.startswith("_"))


def load(package: ModuleType, name: str, protocol: type | None = None) -> Any:
    """The module `name` of a package, or what the third-party entry point of that name stands for.

    Entry points are looked up in the group named like the package (`ebprof.outputs` for
    `ebprof.output`, in the plural). Returns None when there is no such module. A third party's that
    fails to import, or lacks what the protocol (a runtime-checkable one) asks for, is None too, and
    costs one warning on stderr, never the run.
    """
    if name in module_names(package):
        return importlib.import_module(f"{package.__name__}.{name}")
    for entry in _entries(package):
        if entry.name == name:
            return _load_entry(entry, protocol)
    return None


def each(package: ModuleType, protocol: type) -> Iterator[Any]:
    """What `load` gives for each name: ours first, only then are entry points looked up."""
    own = module_names(package)
    yield from (load(package, name, protocol) for name in own)
    yield from (load(package, name, protocol) for name in names(package) if name not in own)


def names(package: ModuleType) -> list[str]:
    """All names that `load` knows for this package, ours and third parties', sorted."""
    found = set(module_names(package))
    found.update(entry.name for entry in _entries(package))
    return sorted(found)


@contextmanager
def blaming(found: object, what: str) -> Iterator[None]:
    """Turn what a third party's code raises into one error that names it; ours is not excused.

    found: what `load` gave. System errors and an EbprofError pass.
    """
    try:
        yield
    except (EbprofError, OSError):
        raise
    except Exception as error:
        name = getattr(found, "__name__", type(found).__module__)
        if name.startswith("ebprof."):
            raise
        raise EbprofError(f"plug-in {name} cannot {what}: {error!r}", "report it there") from None


def _entries(package: ModuleType) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 30 ms, which our own modules need not wait for

    name = package.__name__
    return entry_points(group=name if name.endswith("s") else f"{name}s")


@cache
def _load_entry(entry: EntryPoint, protocol: type | None) -> Any:
    """Once an entry: what is wrong with one is said once."""
    try:
        found = entry.load()
    except Exception as error:
        return _warn(entry, f"failed to load: {error!r}")
    if protocol is None or isinstance(found, protocol):
        return found
    missing = [name for name in _members(protocol) if not hasattr(found, name)]
    return _warn(entry, f"is no {protocol.__name__}: it has no {', '.join(missing)}")


def _members(protocol: type) -> list[str]:
    """What a protocol asks for, with what it inherits from other protocols."""
    found: dict[str, None] = {}
    for one in protocol.__mro__:
        if getattr(one, "_is_protocol", False):
            names = {*vars(one), *vars(one).get("__annotations__", {})}
            found.update(dict.fromkeys(sorted(n for n in names if not n.startswith("_"))))
    return list(found)


def _warn(entry: EntryPoint, problem: str) -> None:
    print(f"ebprof: plug-in {entry.name} ({entry.value}) {problem}", file=sys.stderr)
