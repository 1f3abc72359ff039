"""Functions that use more or less CPU time: as a share of their service's, and in cores.

Both have to have changed: with twice the load all functions use twice the cores, and with one that
has grown all others have a smaller share. Shares, which do not vary with the load, are what is
tested; cores have to have changed the same way, which must be no chance for one function alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ebprof.changes import judge, noise
from ebprof.changes.change import Change, Figure
from ebprof.changes.observed import Observation

CORES, SHARE = "cores", "share"
_CHANCE = 0.001
"""Of the change in cores."""


def find(observation: Observation) -> Iterable[Change]:
    """Functions by service, of services that there were in both ranges."""
    table, spans = observation.tables.get("functions.cores"), observation.spans
    if table is None or not table.subjects:
        return
    judged = judge.levels(table, spans, _CHANCE)
    wholes = np.array([table.wholes[one.service] for one in table.subjects])
    shares = noise.verdicts(table.values, table.quanta, wholes, spans)
    tested = int((np.maximum(shares.before, shares.after) >= judge.LEAST_SHARE / 2).sum())
    moved = shares.after - shares.before
    is_alike = np.sign(moved) == np.sign(judged.after - judged.before)
    is_there = (wholes[:, spans.before].sum(axis=1) > 0) & (wholes[:, spans.after].sum(axis=1) > 0)
    matters = is_there & is_alike & (np.abs(moved) >= judge.LEAST_SHARE)
    sure = matters & judge.is_sure(shares, tested)
    for row in judged.rows[sure[judged.rows]].tolist():
        weight = float(judged.weights[row])
        sides = (judged.before, judged.after), (shares.before, shares.after)
        chances = float(judged.chance[row]), float(shares.chance[row])
        yield Change(
            "functions",
            table.subjects[row],
            judge.fate(table, row, spans, bool(moved[row] > 0)),
            tuple(
                Figure(measure, float(side[0][row]), float(side[1][row]), weight, chance)
                for measure, side, chance in zip((CORES, SHARE), sides, chances, strict=True)
            ),
            judge.since_ms(table.values[row], spans.seconds, spans),
        )
