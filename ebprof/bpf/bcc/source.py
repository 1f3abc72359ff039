"""The text that bcc compiles: the kernel's types, where maps and variables are, our own source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from ebprof._native import lib

PREFIX = "compiled_"
"""Of the functions that bcc is to compile: each calls the program that it stands for."""
_STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\} CO_RE;", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\t([\w ]+?[ *]+)(\w+)((?:\[\d+\])?);", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the programs find what is not theirs.

    maps: descriptors, by name. variables: descriptor of the section's map and offset, by name.
    """

    maps: Mapping[str, int]
    variables: Mapping[str, tuple[int, int]]

    @property
    def has_sockets(self) -> bool:
        """Whether the programs look into sockets."""
        return "sockets" in self.maps


def write(name: str, programs: Iterable[str], places: Places, types: str) -> str:
    """The text for an object of this package; types: what `kernel_types` says."""
    return "\n".join(
        [
            "#define EBPROF_BCC",
            *(["#define EBPROF_SOCKETS"] if places.has_sockets else []),
            '#include "bcc.bpf.h"',
            types,
            *_definitions(places),
            f'#include "{name}.bpf.c"',
            *(f"int {PREFIX}{one}(void *ctx) {{ return {one}(ctx); }}" for one in programs),
            "",
        ]
    )


def kernel_types() -> str:
    """The types of core.bpf.h as the kernel's BTF lays them out; empty without BTF.

    With them the headers may be those of another kernel.
    """
    btf = lib.btf__load_vmlinux_btf()
    if not btf:
        return ""
    try:
        return "\n".join(_laid_out(btf, (files("ebprof.bpf") / "core.bpf.h").read_text()))
    finally:
        lib.btf__free(btf)


def _definitions(places: Places) -> Iterator[str]:
    for name, descriptor in places.maps.items():
        yield f"#define {name} MAP_AT({descriptor})"
    for name, (descriptor, offset) in places.variables.items():
        yield f"#define {name} VARIABLE_AT({name}_variable, {descriptor}, {offset})"


def _laid_out(btf: object, core: str) -> Iterator[str]:
    """Each type as a union of its fields, each behind as many bytes as lie before it."""
    structs = [(name, body) for name, body in _STRUCT.findall(core) if "___" not in name]
    for name, _ in structs:
        yield f"#define {name} {name}_here"
    for name, body in structs:
        fields = [
            (lib.field_find(btf, name.encode(), field.encode()), type + field + size, field)
            for type, field, size in _FIELD.findall(body)
        ]
        yield f"struct {name} {{ union {{"
        for offset, declaration, field in fields:
            if offset >= 0:
                before = f"char before_{field}[{offset}]; " if offset else ""
                yield f"struct {{ {before}{declaration}; }} __attribute__((packed));"
        yield "}; };"
