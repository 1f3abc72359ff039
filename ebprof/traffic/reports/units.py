"""Figures as people read them: three digits and a decimal prefix (1 kB is 1000 bytes)."""

from __future__ import annotations

from ebprof.identity.containers import short
from ebprof.model import FlowCounts, FlowRow

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

ANY = "*"
OTHER = "~other"


def amount(value: float, unit: str = "B") -> str:
    """`0 B`, `999 B`, `1.23 kB`, `45.6 MB`: at most 7 cells with a unit of one letter."""
    text, prefix = _scaled(value)
    return f"{text} {prefix}{unit}".rstrip()


def count(value: float) -> str:
    """`0`, `0.5`, `999`, `1.23k`: at most 5 cells."""
    text, prefix = _scaled(value)
    return text + prefix


def duration(seconds: float) -> str:
    """`5s`, `12m`, `3h`, `4d`: the largest unit that there is one of."""
    if seconds < _MINUTE:
        return f"{int(seconds)}s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)}m"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)}h"
    return f"{int(seconds // _DAY)}d"


def microseconds(value: float) -> str:
    """`85us`, `1.2ms`, `3.5s`: at most 6 cells up to 100 s."""
    if value < 999.5:
        return f"{value:.0f}us"
    if value < 999_500:
        return f"{_digits(value / 1e3)}ms"
    return f"{_digits(value / 1e6)}s"


def times(ratio: float) -> str:
    """`0.1`, `2.4`, `35`, `12k`: at most 3 cells; what is less or more is the end of that."""
    if ratio < 9.95:
        return f"{max(ratio, 0.1):.1f}"
    return f"{ratio:.0f}" if ratio < 999.5 else f"{min(ratio / 1000, 99):.0f}k"


def endpoint(address: str | None, port: int | None) -> str:
    """`10.0.0.1:80`, `[::1]:80`, `10.0.0.1` for an ephemeral port; `*` for what differs."""
    if address is None:
        return ANY if port is None else f"{ANY}:{port}"
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def peer(row: FlowRow) -> str:
    """A row's peer, by name where it has one; `10.0.0.9:80(10.0.0.3:6379)`: and what it is
    translated to, or was from.
    """
    shown = endpoint(row.peer_name or row.peer_address, row.peer_port)
    plain = endpoint(row.peer_address, row.peer_port)
    return shown + _translation(plain, endpoint(row.nat_peer_address, row.nat_peer_port))


def peer_process(row: FlowRow) -> str:
    """The name of the process at the other end, where that is here; `*` for several."""
    return ANY if row.has_peers else row.peer_comm or ""


def container(row: FlowRow) -> str:
    """What people call a container, else as much of its ID as they write; empty for none."""
    return row.container_name or short(row.container or "")


def local(row: FlowRow) -> str:
    """A row's own end, translated in the same way."""
    shown = endpoint(row.local_address, row.local_port)
    return shown + _translation(shown, endpoint(row.nat_local_address, row.nat_local_port))


def failures(counts: FlowCounts) -> str:
    """`3`, and why: `refused:2,timeout:1`, empty when no connect failed."""
    return ",".join(f"{name}:{number}" for name, number in counts.connect_errors)


def is_active(counts: FlowCounts) -> bool:
    """Whether anything happened."""
    return counts._replace(turns=0) != _NOTHING


def _translation(end: str, other: str) -> str:
    """Nothing where one of them is not known, or differs among flows."""
    return "" if other == end or ANY in end + other else f"({other})"


def _scaled(value: float) -> tuple[str, str]:
    """Three digits, and the prefix: what would be rounded to 1000 gets the next one."""
    for prefix in _PREFIXES[:-1]:
        if value < 999.5:
            return _digits(value), prefix
        value /= 1000
    return _digits(value), _PREFIXES[-1]


def _digits(value: float) -> str:
    if value >= 99.95 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


_NOTHING = FlowCounts()
