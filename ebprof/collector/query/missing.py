"""What samples have no names, by the files that these would be in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ebprof.collector import kinds
from ebprof.collector.query import sql
from ebprof.collector.query.flamegraph import MOST_STACKS
from ebprof.collector.query.frames import Frames, frames_of
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.stacks import SHOWN, FoundStacks, look_up
from ebprof.collector.query.times import Range
from ebprof.collector.query.tree import Numbers
from ebprof.collector.store.question import Asked
from ebprof.model import sums

DEFAULT_FILES, MOST_FILES = 100, 10_000
_COLUMNS = ("frame_id", "module", "build_id", "address", "names")


@dataclass(frozen=True, slots=True)
class NamelessFile:
    """A file in which functions have no names. build_id: empty for what is in no object file.

    own: value of stacks whose innermost function is one of these; any: of those that have one
    anywhere. addresses: distinct ones, in these stacks.
    """

    file: str
    build_id: str
    own: int
    any: int
    addresses: int


@dataclass(frozen=True, slots=True)
class MissingAnswer:
    """covered: the range that was added up. total: of all samples; own, any: of those whose
    innermost function, or any, has no name. rest: of stacks that were not looked at. files: those
    that cost most names first.
    """

    type: str
    unit: str
    covered: Range
    total: int
    own: int
    any: int
    rest: int
    files: tuple[NamelessFile, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """Files whose functions have no names in a selection, at most so many; most_stacks: are looked
    at, the largest.
    """

    selection: Selection
    most: int
    most_stacks: int = MOST_STACKS

    def answer(self, database: Asked) -> MissingAnswer:
        """Look them up; raises BadQuestionError."""
        plan = self.selection.plan()
        with database.session() as session:
            self.selection.check(session)
            stacks = look_up(session, self.selection, plan, self.most_stacks)
            places = {"lists": f"(SELECT frame_ids FROM {SHOWN})", "columns": ", ".join(_COLUMNS)}
            frames = frames_of(session.ask(sql.fill("frames", places)))
        rest = stacks.rest[0]
        own, any_, files = _added_up(stacks, frames)
        return MissingAnswer(
            self.selection.type,
            kinds.unit_of(self.selection.type),
            plan.covered,
            int(stacks.values.sum()) + rest,
            own,
            any_,
            rest,
            tuple(sorted(files, key=lambda one: (-one.any, one.file, one.build_id))[: self.most]),
        )


def _added_up(stacks: FoundStacks, frames: Frames) -> tuple[int, int, list[NamelessFile]]:
    """Values of stacks whose innermost function, and of those of which any, has no name; files."""
    of_item = frames.indices(stacks.frame_ids.items)
    stack = np.repeat(np.arange(len(stacks.values)), stacks.frame_ids.lengths)
    nameless = np.flatnonzero(frames.is_nameless[of_item])
    if not len(nameless):
        return 0, 0, []
    met, of_met = np.unique(of_item[nameless], return_inverse=True)
    labels, file = _files(frames, met)
    count = len(labels)
    pairs = np.unique(stack[nameless] * count + file[of_met])
    any_ = sums(pairs % count, stacks.values[pairs // count], count)
    has_frames = np.flatnonzero(stacks.frame_ids.lengths > 0)
    leaf = of_item[stacks.frame_ids.starts[has_frames]]
    is_own = frames.is_nameless[leaf]
    own = sums(file[np.searchsorted(met, leaf[is_own])], stacks.values[has_frames[is_own]], count)
    addresses = np.bincount(file, minlength=count)
    rows = zip(labels, own.tolist(), any_.tolist(), addresses.tolist(), strict=True)
    total = int(stacks.values[np.unique(stack[nameless])].sum())
    return int(own.sum()), total, [NamelessFile(*label, *values) for label, *values in rows]


def _files(frames: Frames, locations: Numbers) -> tuple[list[tuple[str, str]], Numbers]:
    """Path and build ID of the files that some locations are in, and the file of each.

    Files of one build ID are one, under the first path.
    """
    table = frames.table.take(locations)
    numbers: dict[tuple[str, str], int] = {}
    labels: list[tuple[str, str]] = []
    places = np.empty(len(locations), np.int64)
    pairs = zip(table["module"].to_pylist(), table["build_id"].to_pylist(), strict=True)
    for row, (module, build_id) in enumerate(pairs):
        key = ("", build_id) if build_id else (module, "")
        if key not in numbers:
            numbers[key] = len(labels)
            labels.append((module, build_id))
        places[row] = numbers[key]
    return labels, places
