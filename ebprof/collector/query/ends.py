"""Ends of connections: what labels they have, and how those are called that no agent is on.

Conditions on columns of `flows`, in SQL. `topology` and whoever counts by client and server have
them from here.
"""

from __future__ import annotations

from ebprof.collector.flow_keys import ALIASES, PEER, PEER_SERVICE

SHARED = "~shared"
"""Several ends have the address: this side cannot tell which one it was."""
OTHER = "~other"
"""Ends that are too many to be shown."""
INTERNET = "~internet"
"""Callers with a public address that no agent is on."""
PEERS = {
    "service": "peer_service",
    "process": "peer_process",
    "container": "peer_container",
    "pod": "peer_pod",
    "node": "node",
    "cgroup": "",
    "unit": "",
}
"""Labels of ends, with the column that has the label of the other end where both met on a node."""
LABELS = (*PEERS, *(alias for alias, label in ALIASES.items() if label in PEERS))
"""Labels that agents know; enrichers add more."""
IS_MET = "peer_service != '' OR peer_process != ''"
"""Whether both ends met on their node, so that each has names for the other."""
ADDED = "if(labels = '', '', JSONExtractString(labels, {label:String}))"
"""A label that an enricher added."""
NAMED = "if(labels = '', '', JSONExtractString(labels, {named:String}))"
"""What an enricher calls the other end, where that is none of an agent; empty where nobody does."""


def named_by(label: str) -> str:
    """The label of the other end that NAMED reads."""
    return PEER_SERVICE if label in PEERS else PEER + label


_PRIVATE = (
    r"^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\."
    r"|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)"
)


def is_loopback(column: str) -> str:
    """Whether a column's address means something on one node only."""
    return f"startsWith({column}, '127.') OR {column} = '::1'"


def network(column: str) -> str:
    """Who callers from outside are: their network of 256, or of 64 bits; public ones `~internet`.

    So ten thousand addresses of callers are not ten thousand ends.
    """
    pattern = _PRIVATE.replace("\\", "\\\\")
    first = f"IPv6NumToString(tupleElement(IPv6CIDRToRange(toIPv6OrDefault({column}), 64), 1))"
    return (
        f"multiIf({column} = '', '{OTHER}', NOT match({column}, '{pattern}'), '{INTERNET}', "
        f"position({column}, ':') > 0, concat({first}, '/64'), "
        f"replaceRegexpOne({column}, '[0-9]+$', '0/24'))"
    )
