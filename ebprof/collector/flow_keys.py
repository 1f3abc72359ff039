"""What flows are told apart by in the store, and how these columns may be called in questions."""

from __future__ import annotations

NUMBERS = ("pid", "port", "family", "peer_pid")
"""Columns of numbers, 0 where there is none."""
TEXTS = (
    *("service", "process", "node", "container", "pod", "cgroup", "unit", "role", "local", "peer"),
    *("peer_service", "peer_process", "peer_container", "peer_pod"),
)
"""Columns of texts, empty where there is none."""
ALIASES = {
    "service_name": "service",
    "comm": "process",
    "container_id": "container",
    "pod_uid": "pod",
    "local_address": "local",
    "peer_address": "peer",
}
"""What labels of profiles and `ebprof traffic --json` call the same."""
COLUMNS = {name: name for name in (*TEXTS, *NUMBERS)} | ALIASES
PEER = "peer_"
"""What labels of the other end begin with."""
PEER_SERVICE = "peer_service"
"""A column of ends that met on a node; a label of others that an enricher has a name for."""
ROLLED_UP = frozenset(
    {"pid", "container", "pod", "cgroup", "peer_pid", "peer_container", "peer_pod"}
)
"""Columns that sums of hours do not tell apart: they come and go with each deployment."""
