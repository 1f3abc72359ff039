"""Selectors of series, as Prometheus writes them: `{service_name="redis",pod=~"r.*"}`.

A label that a series lacks is empty; names may stand in quotes. Patterns (`=~`, `!~`) are RE2 and
match whole values.
Source: prometheus.io/docs/prometheus/latest/querying/basics
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ebprof.collector.store.question import BadQuestionError

MAX_LENGTH = 8_192
MAX_MATCHERS = 32
FORM = 'write it like {service_name="redis",pod=~"r.*"}, or {} for all'

_NAME = re.compile(r'\s*("?)([a-zA-Z_][a-zA-Z0-9_.]*)\1\s*')
_OPERATOR = re.compile(r"(=~|!~|!=|=)\s*")
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"\s*|\'((?:[^\'\\\n]|\\.)*)\'\s*|`([^`]*)`\s*')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label. operator: `=`, `!=`, `=~` or `!~`."""

    name: str
    operator: str
    value: str

    @property
    def is_pattern(self) -> bool:
        """Whether the value is a regular expression."""
        return self.operator.endswith("~")


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions that all have to hold; none of them selects every series."""

    matchers: tuple[Matcher, ...] = ()

    @property
    def names(self) -> list[str]:
        """Labels that there are conditions on."""
        return list(dict.fromkeys(one.name for one in self.matchers))

    def __str__(self) -> str:
        texts = (f'{one.name}{one.operator}"{_escaped(one.value)}"' for one in self.matchers)
        return "{" + ",".join(texts) + "}"


EVERYTHING = Selector()


def parse(text: str) -> Selector:
    """A selector; the empty text is `{}`. Raises BadQuestionError."""
    if len(text) > MAX_LENGTH:
        raise BadQuestionError(f"query is longer than {MAX_LENGTH} characters", FORM)
    stripped = text.strip()
    if stripped in ("", "{}"):
        return EVERYTHING
    if not (stripped.startswith("{") and stripped.endswith("}")):
        raise _error(text, "it stands in no braces")
    matchers = _matchers(stripped[1:-1], text)
    if len(matchers) > MAX_MATCHERS:
        raise BadQuestionError(f"query has more than {MAX_MATCHERS} conditions", FORM)
    return Selector(tuple(matchers))


def _matchers(inner: str, text: str) -> list[Matcher]:
    found: list[Matcher] = []
    position = 0
    while True:
        matcher, position = _matcher(inner, position, text)
        found.append(matcher)
        if inner[position : position + 1] == ",":
            position += 1
        elif position < len(inner):
            raise _error(text, f"there is no comma before {inner[position : position + 20]!r}")
        if not inner[position:].strip():
            return found


def _matcher(inner: str, position: int, text: str) -> tuple[Matcher, int]:
    """A condition, and where what follows it begins."""
    name = _NAME.match(inner, position)
    if name is None:
        raise _error(text, f"there is no label name at {inner[position : position + 20]!r}")
    operator = _OPERATOR.match(inner, name.end())
    if operator is None:
        raise _error(text, f"after {name[2]} there is none of = != =~ !~")
    string = _STRING.match(inner, operator.end())
    if string is None:
        raise _error(text, f"the value of {name[2]} is not in quotes")
    raw = string[3] if string[3] is not None else _unescaped(string[1] or string[2] or "", text)
    return Matcher(name[2], operator[1], raw), string.end()


def _unescaped(value: str, text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPED:
            raise _error(text, f"{match[0]} means nothing: write a backslash twice")
        return _ESCAPED[match[1]]

    return _ESCAPE.sub(replace, value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _error(text: str, reason: str) -> BadQuestionError:
    return BadQuestionError(f"cannot read query {text[:100]!r}: {reason}", FORM)
