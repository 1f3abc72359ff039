"""Addresses by name: where the functions of an object file begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from io import FileIO

from ebprof.elf import ElfImage, ObjectFile
from ebprof.errors import BadFileError
from ebprof.procfs.text import decoded
from ebprof.symbolize.budget import Budgets
from ebprof.symbolize.debugfiles import DebugFiles
from ebprof.symbolize.demangle import Demangler, is_mangled
from ebprof.symbolize.go import read_go_symbols
from ebprof.symbolize.symtab import NamedFunction, functions_with
from ebprof.symbolize.worker import Worker

_MOST = 4096
_IDENTIFIER = re.compile(r"\w+")
_ARGUMENTS = re.compile(r"\((?!anonymous).*|<.*")
_NOTES = re.compile(r" \[clone [^\]]*\]|\[abi:\w+\]| const$")
_CLONE = re.compile(r"@.*|\.(?:constprop|isra|lto_priv|llvm)\.[.\w]*")
_PART = re.compile(r"\.(?:cold|part)\b")
_OPENING = {")": "(", ">": "<"}


def find_functions(file: ObjectFile, wanted: str) -> list[NamedFunction]:
    """The functions of a name: the linker's, with or without its version, or a readable one
    (`ns::f`, `ns::f(int)`), in the file's symbols or those of its separate debug file.

    Several when static functions, overloads, instances of a template or the compiler's copies share
    the name; what was moved out of a function is not one. Raises BadFileError for a corrupt file.
    """
    debug_file = DebugFiles(Budgets().checksums).find(file)
    if debug_file is None:
        return _find(file.image, None, wanted)
    with debug_file:
        return _find(file.image, _image_or_none(debug_file), wanted)


def _find(image: ElfImage, debug: ElfImage | None, wanted: str) -> list[NamedFunction]:
    having = (*functions_with(image, debug, wanted, _MOST), *_go_functions(image, wanted))
    found = [one for one in having if decoded(wanted) in (one.name, _CLONE.sub("", one.name))]
    if found:
        return found
    words = _IDENTIFIER.findall(_ARGUMENTS.sub("", wanted))
    return _find_readable(image, debug, wanted, words[-1]) if words else []


def _go_functions(image: ElfImage, wanted: str) -> Iterator[NamedFunction]:
    symbols = read_go_symbols(image)
    for name, address in symbols.functions_with(wanted) if symbols else ():
        yield NamedFunction(name, address, is_ifunc=False)


def _find_readable(
    image: ElfImage, debug: ElfImage | None, wanted: str, word: str
) -> list[NamedFunction]:
    """By readable names; a mangled one has the words of it."""
    candidates = [one for one in functions_with(image, debug, word, _MOST) if is_mangled(one.name)]
    candidates = [one for one in candidates if not _PART.search(one.name)]
    with closing(Worker()) as worker:
        demangler = Demangler(worker)
        demangler.learn(one.name for one in candidates)
        return [one for one in candidates if _is_called(demangler.name(one.name), wanted)]


def _is_called(readable: str, wanted: str) -> bool:
    readable = _NOTES.sub("", readable)
    name = _without_last(readable, ")")
    return wanted in (readable, name, _without_last(name, ">").rpartition(" ")[2])


def _without_last(name: str, closing: str) -> str:
    """A name without the pair of brackets, and what is in it, that it ends in."""
    if not name.endswith(closing):
        return name
    depth = 0
    for place in range(len(name) - 1, -1, -1):
        depth += (name[place] == closing) - (name[place] == _OPENING[closing])
        if depth == 0:
            return name[:place]
    return name


def _image_or_none(file: FileIO) -> ElfImage | None:
    try:
        return ElfImage(file)
    except BadFileError:
        return None
