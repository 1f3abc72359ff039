"""An entry of a CMDB: conditions, and the labels that it sets."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from ebprof.collector.labels import LONGEST, MOST_LABELS, problem_of
from ebprof.errors import BadFileError

MOST_ENTRIES = 100_000
"""Of a file or URL."""
PATTERNS = ("node", "container", "unit")
"""Conditions that are patterns of a shell."""
CONDITIONS = (*PATTERNS, "address", "port", "label")
SET = "set"

Pairs = tuple[tuple[str, str], ...]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Entry:
    """Labels, and the conditions under which they are set: at least one of each.

    node, container, unit: patterns of a shell, empty for any. network: of the address; port: that
    it listens on, 0 for any. labels: names and patterns. sets: names and values.
    """

    sets: Pairs
    node: str = ""
    container: str = ""
    unit: str = ""
    network: Network | None = None
    port: int = 0
    labels: Pairs = ()


def read_entry(found: object, where: str) -> Entry:
    """An entry of a table, as TOML and JSON have it; raises BadFileError.

    where: the file with the entry's line or number, for messages.
    """
    if not isinstance(found, Mapping):
        raise _error(where, "it is no table")
    unknown = sorted(map(str, set(found) - {*CONDITIONS, SET}))
    if unknown:
        raise _error(where, f"unknown {unknown[0][:64]!r}", _HINT)
    sets = _pairs(where, SET, found.get(SET))
    if not sets:
        raise _error(where, "it sets no label", _HINT)
    for name, _ in sets:
        problem = problem_of(name)
        if problem:
            raise _error(where, problem)
    node, container, unit = (_text(where, name, found.get(name)) for name in PATTERNS)
    entry = Entry(
        sets,
        node,
        container,
        unit,
        network=_network(where, found.get("address")),
        port=_port(where, found.get("port")),
        labels=_pairs(where, "label", found.get("label")),
    )
    if entry == Entry(sets):
        raise _error(where, "it has no condition", _HINT)
    return entry


_HINT = f"there are the conditions {', '.join(CONDITIONS)}, and {SET}: docs/cmdb.md"


def _text(where: str, name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST:
        raise _error(where, f"{name} is no text of at most {LONGEST} characters that print")
    return value


def _pairs(where: str, name: str, value: object) -> Pairs:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise _error(where, f"{name} is no table of texts")
    if len(value) > MOST_LABELS:
        raise _error(where, f"{name} has more than {MOST_LABELS} labels")
    pairs = ((str(one), _text(where, str(one)[:64], text)) for one, text in value.items())
    return tuple((one, text) for one, text in pairs if text)


def _network(where: str, value: object) -> Network | None:
    text = _text(where, "address", value)
    if not text:
        return None
    try:
        found = ipaddress.ip_network(text)
    except ValueError as error:
        raise _error(where, f"address {text[:64]!r}: {error}"[:200]) from None
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is not None and found.prefixlen >= _MAPPED:
        return ipaddress.ip_network((mapped, found.prefixlen - _MAPPED))
    return found


def _port(where: str, value: object) -> int:
    if value is None or value == "":
        return 0
    text = str(value)[:6] if isinstance(value, (int, str)) else ""
    if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16:
        return int(text)
    raise _error(where, f"port is {str(value)[:64]!r}, and no number from 1 to 65535")


_MAPPED = 96
"""Bits before the IPv4 address in an IPv6 one that stands for it."""


def _error(where: str, reason: str, hint: str = "") -> BadFileError:
    return BadFileError(f"cannot read {where}: {reason}", hint)
