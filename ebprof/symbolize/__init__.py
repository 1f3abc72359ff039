"""Addresses to names: `Symbolizer` joins symbol tables, DWARF, kallsyms and perf maps."""

from .cache import default_cache
from .symbolizer import Symbolizer

__all__ = ["Symbolizer", "default_cache"]
