"""C++ names as people write them: `std::string`, not the class template that it is an alias of.

Template arguments that are the standard's defaults (allocators, comparisons, hashes, deleters) go,
and so do inline namespaces (`std::__cxx11`, `std::__1`) and what marks them (`[abi:cxx11]`). What
is not a template of `std`, and a name whose brackets do not match, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

MAX_LENGTH = 65_536
"""Longer names stay as they are."""
_MAX_DEPTH = 64
_MOST_KNOWN = 1 << 16

_INLINE_NAMESPACE = re.compile(r"\bstd::__(?:cxx11|1|cxx1998|ndk1)::")
_ABI_TAG = "[abi:cxx11]"
_STRING = re.compile(r"\bstd::basic_string<char, std::char_traits<char>, std::allocator<char> ?>")
"""By far the most frequent: what is replaced at once need not be taken to pieces."""
_TOKEN = re.compile(r"->|[<>(){}\[\],]|(?:[^<>(){}\[\],-]|-(?!>))+")
_WITH_OPERATORS = re.compile(
    r"\boperator\s*(?:<=>|<<=?|>>=?|<=|>=|->\*?|<|>|\(\)|\[\])|->|[<>(){}\[\],]"
    r"|(?:(?!\boperator\b)[^<>(){}\[\],-]|-(?!>))+|operator"
)
_GOES_ON = re.compile(r"(?:\w|::)$")
_CLOSING = {"<": ">", "(": ")", "{": "}", "[": "]"}
_CHARACTERS = {
    "char": "",
    "wchar_t": "w",
    "char8_t": "u8",
    "char16_t": "u16",
    "char32_t": "u32",
}
_FOR_ALL = frozenset(("string", "string_view"))
_STREAMS = re.compile(
    "[io]stream|iostream|ios|streambuf|filebuf|[io]?fstream|[io]?stringstream|stringbuf|regex"
)
# Defaults that are made of the first argument, and those that go whatever they are of.
_OF_FIRST = ("less", "equal_to", "hash", "default_delete")
_OF_ANY = ("std::allocator<", "std::char_traits<")
_SHORTENED = re.compile(
    "vector|deque|(?:forward_)?list|(?:unordered_)?(?:multi)?(?:map|set)|unique_ptr"
    "|priority_queue|queue|stack|basic_string"
)
_CONTAINERS = {"priority_queue": "vector", "queue": "deque", "stack": "deque"}


class _NoTemplate(Exception):
    """Brackets of a name do not match."""


@lru_cache(_MOST_KNOWN)
def short_name(name: str) -> str:
    """The name of a function with what C++'s standard library adds to types left out."""
    if len(name) > MAX_LENGTH:
        return name
    name = name.replace(_ABI_TAG, "")
    if "std::" not in name:
        return name
    text = _STRING.sub("std::string", _INLINE_NAMESPACE.sub("std::", name))
    if "<" not in text:
        return text
    try:
        return _Parser(text).whole()
    except _NoTemplate:
        return name


class _Parser:
    """Reads a name from left to right; texts are already short."""

    def __init__(self, text: str) -> None:
        token = _WITH_OPERATORS if "operator" in text else _TOKEN
        self._tokens: list[str] = token.findall(text)
        self._at = 0

    def whole(self) -> str:
        parts = self._until("", 0)
        if self._at < len(self._tokens):
            raise _NoTemplate
        return parts[0]

    def _until(self, closing: str, depth: int) -> list[str]:
        """What stands between brackets, split at its commas; the closing one is read."""
        if depth > _MAX_DEPTH:
            raise _NoTemplate
        found = [""]
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token == closing:
                return found
            if token == "<":
                found[-1] = _template(found[-1], self._until(">", depth + 1))
            elif token in _CLOSING:
                inner = ",".join(self._until(_CLOSING[token], depth + 1))
                found[-1] += token + inner + _CLOSING[token]
            elif token in (">", ")", "}", "]"):
                raise _NoTemplate
            elif token == ",":
                found.append("")
            else:
                found[-1] += token
        if closing:
            raise _NoTemplate
        return [",".join(found)]


def _template(before: str, arguments: Sequence[str]) -> str:
    """A template with its arguments, after what stands before it."""
    start, separator, name = before.rpartition("std::")
    if separator and name.isidentifier() and not _GOES_ON.search(start):
        stripped = [one.strip() for one in arguments]
        alias = _alias(name, stripped)
        if alias is not None:
            return f"{start}std::{alias}"
        if _SHORTENED.fullmatch(name):
            arguments = arguments[: _needed(name, stripped)]
    return f"{before}<{','.join(arguments).rstrip()}>"


def _alias(name: str, arguments: Sequence[str]) -> str | None:
    """What a template of characters is called: `string`, `wostream`; None for others."""
    if not name.startswith("basic_") or not arguments or arguments[0] not in _CHARACTERS:
        return None
    base, prefix = name.removeprefix("basic_"), _CHARACTERS[arguments[0]]
    is_usual = all(one.startswith(_OF_ANY) for one in arguments[1:])
    is_known = base in _FOR_ALL or (prefix in ("", "w") and _STREAMS.fullmatch(base))
    return prefix + base if is_usual and is_known else None


def _needed(name: str, arguments: Sequence[str]) -> int:
    """How many of a template's arguments say more than its defaults."""
    first = arguments[0]
    defaults = {f"std::{one}<{first}>" for one in _OF_FIRST}
    if name in _CONTAINERS:
        defaults.add(f"std::{_CONTAINERS[name]}<{first}>")
    count = len(arguments)
    while count > 1 and (
        arguments[count - 1] in defaults or arguments[count - 1].startswith(_OF_ANY)
    ):
        count -= 1
    return count
