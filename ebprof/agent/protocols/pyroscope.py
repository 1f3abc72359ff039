"""Grafana Pyroscope's: profiles only, with all their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ebprof.agent.encoding import Encoder
from ebprof.agent.identities import SOURCE
from ebprof.agent.kinds import PROFILES, Kind
from ebprof.agent.pushes import Push
from ebprof.agent.pushes import pushes as all_pushes
from ebprof.agent.series import Series

KINDS: tuple[Kind, ...] = (PROFILES,)
NAMES_ADDRESSES = False


def pushes(series: Iterable[Series], encoder: Encoder) -> Iterator[Push]:
    """All series, without the label that says where a service's name came from.

    Pyroscope would take it for a part of what identifies a series.
    """
    return all_pushes(map(_without_source, series), encoder)


def _without_source(series: Series) -> Series:
    return replace(series, labels=tuple(one for one in series.labels if one[0] != SOURCE))
