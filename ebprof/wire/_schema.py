"""Makes message classes of the .proto files beside this module.

They keep to a part of proto3: flat messages and enums, fields of these or of scalars and bytes,
imports of files beside them, comments on lines of their own; services are read by people only.
Source of the language: protobuf.dev/reference/protobuf/proto3-spec.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "fixed64": _FIELD.TYPE_FIXED64,
    "double": _FIELD.TYPE_DOUBLE,
    "bool": _FIELD.TYPE_BOOL,
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
}
_LINES = {
    "package": re.compile(r"package ([\w.]+);"),
    "import": re.compile(r'import "(\w+\.proto)";'),
    "message": re.compile(r"message (\w+) \{"),
    "enum": re.compile(r"enum (\w+) \{"),
    "value": re.compile(r"(\w+) = (\d+);"),
    "field": re.compile(r"(repeated )?([\w.]+) (\w+) = (\d+);"),
    "ignored": re.compile(r'syntax = "proto3";|service \w+ \{|rpc .*;|\}|//.*|'),
}


def message_class(file: str, name: str) -> Any:
    """The class of a message: `message_class("push.proto", "push.v1.PushRequest")`.

    Raises ValueError for a line that is not of the part of proto3 above, KeyError for a message
    that the file lacks.
    """
    pool = descriptor_pool.DescriptorPool()
    _add_file(pool, file, set())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _add_file(pool: descriptor_pool.DescriptorPool, file: str, added: set[str]) -> None:
    if file in added:
        return
    added.add(file)
    parsed = parse(file, _text(file))
    for dependency in parsed.dependency:
        _add_file(pool, dependency, added)
    pool.Add(parsed)


@cache
def _text(file: str) -> str:
    return files("ebprof.wire").joinpath(file).read_text(encoding="utf-8")


def parse(file: str, text: str) -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of a .proto file; raises ValueError, with the line."""
    parsed = descriptor_pb2.FileDescriptorProto(name=file, syntax="proto3")
    for number, line in enumerate(text.splitlines(), 1):
        kind, match = _kind_of(line.strip())
        if match is None:
            raise ValueError(f"{file}:{number}: cannot read {line.strip()!r}")
        _add(parsed, kind, match)
    return parsed


def _kind_of(line: str) -> tuple[str, re.Match[str] | None]:
    for kind, pattern in _LINES.items():
        match = pattern.fullmatch(line)
        if match:
            return kind, match
    return "", None


def _add(parsed: descriptor_pb2.FileDescriptorProto, kind: str, match: re.Match[str]) -> None:
    if kind == "package":
        parsed.package = match[1]
    elif kind == "import":
        parsed.dependency.append(match[1])
    elif kind == "message":
        parsed.message_type.add(name=match[1])
    elif kind == "enum":
        parsed.enum_type.add(name=match[1])
    elif kind == "value":
        parsed.enum_type[-1].value.add(name=match[1], number=int(match[2]))
    elif kind == "field":
        _add_field(parsed, match)


def _add_field(parsed: descriptor_pb2.FileDescriptorProto, match: re.Match[str]) -> None:
    repeated, kind, name, number = match.groups()
    field = parsed.message_type[-1].field.add(name=name, number=int(number))
    field.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:  # a message or an enum, as its name turns out to be
        field.type_name = f".{kind}" if "." in kind else f".{parsed.package}.{kind}"
