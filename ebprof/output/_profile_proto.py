"""The messages of pprof's profile.proto, built at run time: no generated code to keep in step.

Source: github.com/google/pprof/blob/main/proto/profile.proto. One difference: the string table
is declared as bytes, which look the same on the wire, since files exist whose names are not UTF-8.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "perftools.profiles"

# Message -> field number -> "[repeated] type name".
_MESSAGES = {
    "Profile": {
        1: "repeated ValueType sample_type",
        2: "repeated Sample sample",
        3: "repeated Mapping mapping",
        4: "repeated Location location",
        5: "repeated Function function",
        6: "repeated bytes string_table",
        7: "int64 drop_frames",
        8: "int64 keep_frames",
        9: "int64 time_nanos",
        10: "int64 duration_nanos",
        11: "ValueType period_type",
        12: "int64 period",
        13: "repeated int64 comment",
        14: "int64 default_sample_type",
    },
    "ValueType": {
        1: "int64 type",
        2: "int64 unit",
    },
    "Sample": {
        1: "repeated uint64 location_id",
        2: "repeated int64 value",
        3: "repeated Label label",
    },
    "Label": {
        1: "int64 key",
        2: "int64 str",
        3: "int64 num",
        4: "int64 num_unit",
    },
    "Mapping": {
        1: "uint64 id",
        2: "uint64 memory_start",
        3: "uint64 memory_limit",
        4: "uint64 file_offset",
        5: "int64 filename",
        6: "int64 build_id",
        7: "bool has_functions",
        8: "bool has_filenames",
        9: "bool has_line_numbers",
        10: "bool has_inline_frames",
    },
    "Location": {
        1: "uint64 id",
        2: "uint64 mapping_id",
        3: "uint64 address",
        4: "repeated Line line",
        5: "bool is_folded",
    },
    "Line": {
        1: "uint64 function_id",
        2: "int64 line",
    },
    "Function": {
        1: "uint64 id",
        2: "int64 name",
        3: "int64 system_name",
        4: "int64 filename",
        5: "int64 start_line",
    },
}

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int64": _FIELD.TYPE_INT64,
    "uint64": _FIELD.TYPE_UINT64,
    "bool": _FIELD.TYPE_BOOL,
    "bytes": _FIELD.TYPE_BYTES,
}


def _profile_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="profile.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, declaration in fields.items():
            _add_field(message, number, declaration)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Profile"))


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, declaration: str) -> None:
    *repeated, kind, name = declaration.split()
    field = message.field.add(name=name, number=number)
    field.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"


ProfileMessage: Any = _profile_class()
