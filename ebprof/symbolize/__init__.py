"""Addresses to names: `Symbolizer` joins symbol tables, DWARF, kallsyms and perf maps."""

from ebprof.symbolize.cache import default_cache
from ebprof.symbolize.symbolizer import Symbolizer

__all__ = ["Symbolizer", "default_cache"]
