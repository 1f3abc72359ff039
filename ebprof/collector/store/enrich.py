"""Adds what enrichers know to series and flows before they become rows."""

from __future__ import annotations

import json
import logging
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ebprof.collector.flow_keys import PEER, PEER_SERVICE
from ebprof.collector.labels import LONGEST, MOST_LABELS, SERVICE, problem_of
from ebprof.collector.store.flow_tables import FlowLabels, address_of
from ebprof.collector.store.rows import Labels
from ebprof.collector.store.wire import EnrichRequest
from ebprof.enrichers import Catalogue, Subject
from ebprof.walls import Walls
from ebprof.wire.flows import NOBODY, ROLES, TEXTS, FlowWindow

RENAMED = frozenset({"unit", "executable", "thread"})
"""Where names of services come from that enrichers replace, as agents say. Names by a rule or from
the environment stay, and so do those of senders that do not say where they have them from."""
SOURCE = "__service_source__"

_OF_FLOWS = {SERVICE: "service", "process": "process", "pod_uid": "pod", "cgroup": "cgroup"}
_UNIT = re.compile(r"([^/:]+\.(?:service|scope|socket|mount|swap))(?=/|$)")
_NO_TEXTS = ("",) * len(TEXTS)
_END = np.dtype([("process", "<u4"), ("family", "u1"), ("address", "V16"), ("port", "<u2")])
_CLIENT, _SERVER = ROLES.index("client"), ROLES.index("server")
_MOST_KNOWN = 200_000
_End = tuple[tuple[str, ...], int, bytes, int]
"""Node and texts of a process, family, address, and the port that it listens on."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Added:
    """What enrichers say of a subject. service: empty where it keeps its name."""

    service: str = ""
    labels: Labels = ()


class Enriching:
    """Asks catalogues, and remembers what they said. For one thread."""

    def __init__(self) -> None:
        self._catalogues: dict[str, Catalogue] = {}
        self._ends: dict[_End, _Added] = {}
        self._series: dict[Labels, Labels] = {}
        self._walls = Walls()

    def replace(self, request: EnrichRequest) -> None:
        """Ask other catalogues from now on."""
        self._ends.clear()
        self._series.clear()
        self._catalogues = {}
        for name, pickled in request.catalogues:
            with self._walls.around(f"what enricher {name} knows"):
                self._catalogues[name] = pickle.loads(pickled)

    def take_failures(self) -> int:
        """How often a catalogue has raised since this was asked the last time."""
        walls, self._walls = self._walls, Walls()
        for warning in walls.warnings:
            _log.warning("%s", warning)
        return walls.failed

    def of_series(self, sent: Labels) -> Labels:
        """The labels of a series, and those that are added, sorted."""
        if not self._catalogues:
            return sent
        found = self._series.get(sent)
        if found is None:
            if len(self._series) >= _MOST_KNOWN:
                self._series.clear()
            found = self._series[sent] = self._with_more(sent)
        return found

    def of_flows(self, window: FlowWindow) -> FlowLabels | None:
        """What is added to the flows of a window; None for nothing."""
        if not self._catalogues or not len(window.flows):
            return None
        texts = _Texts(window)
        own, of_own = _distinct(window.flows, "process", "local_address", _SERVER)
        peers, of_peer = _distinct(window.flows, "peer", "peer_address", _CLIENT)
        ours = [self._of_end((texts.of(end[0], window.node), *end[1:])) for end in own]
        theirs = [
            _as_peer(self._of_end((texts.of(end[0], ""), *end[1:])), is_met=end[0] != NOBODY)
            for end in peers
        ]
        pairs, of_pair = np.unique(of_own * len(theirs) + of_peer, return_inverse=True)
        joined = [
            dict(ours[one // len(theirs)].labels) | dict(theirs[one % len(theirs)].labels)
            for one in pairs.tolist()
        ]
        return FlowLabels(
            _by_flow([one.service for one in ours], of_own),
            _by_flow([one.service for one in theirs], of_peer),
            _by_flow([_written(one) for one in joined], of_pair),
            frozenset(name for one in joined for name in one) - {PEER_SERVICE},
        )

    def _with_more(self, sent: Labels) -> Labels:
        given = dict(sent)
        subject = Subject(
            node=given.get("node", ""),
            container=given.get("container_id", ""),
            pod=given.get("pod_uid", ""),
            unit=unit_of(given.get("cgroup", "")),
            labels=tuple(pair for pair in sent if not pair[0].startswith("__")),
        )
        added = self._ask(subject, given.get(SERVICE, ""), given.get(SOURCE, ""))
        more = {name: value for name, value in added.labels if not given.get(name)}
        if added.service:
            more[SERVICE] = added.service
        return tuple(sorted((given | more).items()))

    def _of_end(self, end: _End) -> _Added:
        found = self._ends.get(end)
        if found is None:
            if len(self._ends) >= _MOST_KNOWN:
                self._ends.clear()
            (node, *others), family, address, port = end
            texts = dict(zip(TEXTS, others, strict=True))
            labels = ((label, texts[name]) for label, name in _OF_FLOWS.items())
            subject = Subject(
                node=node,
                container=texts["container"],
                pod=texts["pod"],
                unit=texts["unit"],
                address=address_of(bytes([family]) + address),
                port=port,
                labels=tuple(pair for pair in labels if pair[1]),
            )
            found = self._ends[end] = self._ask(subject, texts["service"], texts["source"])
        return found

    def _ask(self, subject: Subject, service: str, source: str) -> _Added:
        """service: its name, empty where it has none; source: where that came from."""
        labels = self._labels(subject)
        name = labels.pop(SERVICE, "")
        may_name = not service or source in RENAMED
        return _Added(name if may_name else "", tuple(sorted(labels.items())))

    def _labels(self, subject: Subject) -> dict[str, str]:
        """What all catalogues say; of one label, what the first of them says."""
        found: dict[str, str] = {}
        for name, catalogue in self._catalogues.items():
            with self._walls.around(f"what enricher {name} knows"):
                for label, value in catalogue.labels(subject).items():
                    if value and len(found) < MOST_LABELS and not problem_of(label):
                        found.setdefault(label, str(value)[:LONGEST])
        return found


class _Texts:
    """Nodes of processes and their texts, in the order of TEXTS."""

    def __init__(self, window: FlowWindow) -> None:
        self._window = window
        self._known: dict[int, tuple[str, ...]] = {}

    def of(self, process: int, node: str) -> tuple[str, ...]:
        """node: of an end without a process, empty where that may be anywhere."""
        if process == NOBODY:
            return (node, *_NO_TEXTS)
        found = self._known.get(process)
        if found is None:
            row, strings = self._window.processes[process], self._window.strings
            found = (self._window.node, *(strings[row[name]] for name in TEXTS))
            self._known[process] = found
        return found


def unit_of(cgroup: str) -> str:
    """The innermost systemd unit in the path of a cgroup; empty where there is none."""
    return next(reversed(_UNIT.findall(cgroup)), "")


def _distinct(
    flows: NDArray[Any], process: str, address: str, listening: int
) -> tuple[list[tuple[int, int, bytes, int]], NDArray[np.int64]]:
    """Ends of flows, each once, and which of them each flow has.

    An end is a process, a family, an address, and its port where it has the role that listens.
    """
    ends = np.zeros(len(flows), _END)
    ends["process"], ends["family"] = flows[process], flows["family"]
    ends["address"] = np.ascontiguousarray(flows[address]).view("V16")[:, 0]
    ends["port"] = np.where(flows["role"] == listening, flows["port"], 0)
    distinct, of_flow = np.unique(ends.view(f"V{_END.itemsize}"), return_inverse=True)
    return distinct.view(_END).tolist(), of_flow.reshape(-1)


def _as_peer(added: _Added, *, is_met: bool) -> _Added:
    """What is added to the other end of a flow. The column `peer_service` is of ends that met on
    their node: what another is called is a label.
    """
    labels = tuple((PEER + name, value) for name, value in added.labels)
    if is_met or not added.service:
        return _Added(added.service, labels)
    return _Added("", (*labels, (PEER_SERVICE, added.service)))


def _written(labels: Mapping[str, str]) -> str:
    """As it is stored: the same for the same labels."""
    if not labels:
        return ""
    return json.dumps(labels, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _by_flow(texts: list[str], of_flow: NDArray[np.int64]) -> pa.Array:
    """The text of each flow. of_flow: its number in the texts."""
    return pa.array(texts, pa.string()).take(pa.array(of_flow))
