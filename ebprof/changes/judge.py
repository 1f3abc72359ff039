"""Which rows of a table have changed: by as much as matters, and by more than varies anyway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof.changes import noise
from ebprof.changes.change import GONE, LESS, MORE, NEW, Change, Figure
from ebprof.changes.noise import Verdicts
from ebprof.changes.observed import Floats, Observation, Spans, Table

ALARMS = 0.01
"""The share of quiet ranges in which any change may be listed: what is promised."""
FAMILIES = 8
"""How many measures share ALARMS: those of all kinds, with room for more."""
LEAST_SHARE = 0.01
"""Of what its service has: a smaller change of a row does not matter."""
LEAST_OF_ALL = 0.001
"""The same of what all services of the selection have."""
LEAST_GROWTH = 0.1
"""Of what the row had itself, in the range that had more."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The rows of a table that have changed, by number; and what every row had.

    rows: int64[n]. before, after: float64[rows of the table], a second. weights: float64[rows].
    """

    rows: NDArray[np.int64]
    before: Floats
    after: Floats
    weights: Floats
    chance: Floats


def levels(table: Table, spans: Spans, chance: float | None = None) -> Judged:
    """Rows whose amount a second has changed; chance: a bound of each, in place of `is_sure`."""
    found = noise.verdicts(table.values, table.quanta, spans.seconds, spans)
    own, every = _wholes(table, spans)
    change = np.abs(found.after - found.before)
    largest = np.maximum(found.before, found.after)
    weights = change / np.where(every > 0, every, 1)
    matters = (
        (change >= LEAST_SHARE * own)
        & (weights >= LEAST_OF_ALL)
        & (change >= LEAST_GROWTH * largest)
    )
    # What is about as large as what would matter counts as tested, though it is not shown.
    tested = int((largest >= LEAST_SHARE / 2 * own).sum())
    sure = is_sure(found, tested) if chance is None else found.chance <= chance
    rows = np.flatnonzero(matters & (change > 0) & sure)
    return Judged(rows, found.before, found.after, weights, found.chance)


def is_sure(found: Verdicts, tested: int) -> NDArray[np.bool_]:
    """Which rows are no chance, of so many that are tested: in most quiet ranges none."""
    return np.asarray(found.chance <= ALARMS / FAMILIES / max(1, tested))


def fate(table: Table, row: int, spans: Spans, is_more: bool) -> str:
    """How a row has changed."""
    values = table.values[row]
    if is_more:
        return MORE if values[spans.past | spans.before].any() else NEW
    return LESS if values[spans.after].any() else GONE


def since_ms(values: Floats, measure: Floats, spans: Spans) -> int | None:
    """When a row became as it is now: where windows before and after differ most.

    None where it has been so since the range began.
    """
    after = np.flatnonzero(spans.after)
    rest = values - _rate(values, measure, spans.before) * measure
    behind = np.cumsum(rest[after][::-1])[::-1]
    lengths = np.arange(len(after), 0, -1)
    place = int(np.argmax(np.abs(behind) / np.sqrt(lengths)))
    return None if place == 0 else int(spans.starts[after[place]])


def changes(
    kind: str, observation: Observation, measures: Sequence[str], prefix: str
) -> Iterator[Change]:
    """Subjects of tables `PREFIX.MEASURE`, each once with all measures that have changed."""
    spans = observation.spans
    found: dict[object, list[tuple[Figure, Table, int]]] = {}
    for measure in measures:
        table = observation.tables.get(f"{prefix}.{measure}")
        if table is None or not table.subjects:
            continue
        judged = levels(table, spans)
        for row in judged.rows.tolist():
            sides = float(judged.before[row]), float(judged.after[row])
            weight, chance = float(judged.weights[row]), float(judged.chance[row])
            figure = Figure(measure, *sides, weight, chance)
            found.setdefault(table.subjects[row], []).append((figure, table, row))
    for figures in found.values():
        first, table, row = max(figures, key=lambda one: one[0].weight)
        ordered = sorted((one for one, _, _ in figures), key=lambda one: -one.weight)
        yield Change(
            kind,
            table.subjects[row],
            fate(table, row, spans, first.after > first.before),
            tuple(ordered),
            since_ms(table.values[row], spans.seconds, spans),
        )


def _rate(values: Floats, measure: Floats, which: NDArray[np.bool_]) -> float:
    whole = measure[which].sum()
    return float(values[which].sum() / whole) if whole > 0 else 0.0


def _wholes(table: Table, spans: Spans) -> tuple[Floats, float]:
    """What the service of each row had a second, in the range that had more; and what all had."""
    seconds = [
        max(float(spans.seconds[which].sum()), 1e-9) for which in (spans.before, spans.after)
    ]
    sums = {
        service: [
            float(whole[which].sum()) / length
            for which, length in zip((spans.before, spans.after), seconds, strict=True)
        ]
        for service, whole in table.wholes.items()
    }
    own = np.array([max(sums[one.service]) for one in table.subjects])
    return own, max((sum(parts) for parts in zip(*sums.values(), strict=True)), default=0.0)
