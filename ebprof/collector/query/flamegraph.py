"""Flame graphs of any selection, as a call tree or in the formats of files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ebprof import output
from ebprof.collector import kinds
from ebprof.collector.query import sql
from ebprof.collector.query import tree as trees
from ebprof.collector.query.frames import Frames, Functions, Name, frames_of
from ebprof.collector.query.nodes import tree_json
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.times import Range
from ebprof.collector.query.tree import Stacks, Tree
from ebprof.collector.store.question import Asked, Session
from ebprof.model import Frame, Lists, Location, Profile, Sample, SampleType, samples_of

TREE = "tree"
FORMATS = {
    TREE: TREE,
    "json": "json",
    "folded": "folded",
    "pprof": "pprof",
    "speedscope": "speedscope",
    "svg": "svg",
    "html": "flamegraph",
}
"""Names of formats in queries, and of their modules in `ebprof.output`."""
DEFAULT_NODES = 16_384
MAX_NODES = 1_000_000
MOST_STACKS = 100_000
"""Beyond it the smallest are summed up, without a look at their frames."""
PRUNED = "~pruned"
WHOLE_STOPS = frozenset(("", "complete", "no_user_stack", "not_asked"))


@dataclass(frozen=True, slots=True)
class Summary:
    """What a flame graph is of. covered: the range that was added up; values in `unit`.

    incomplete: of stacks that end before their outermost frame. pruned, pruned_nodes: what was left
    out of the tree, which nodes named `~pruned` stand for. unknown: of stacks that the store has
    lost, or not got yet.
    """

    type: str
    unit: str
    covered: Range
    total: int
    incomplete: int
    unknown: int
    pruned: int = 0
    pruned_nodes: int = 0


@dataclass(frozen=True, slots=True)
class FlamegraphAnswer:
    """body: in the format that was asked for."""

    summary: Summary
    body: bytes


@dataclass(frozen=True, slots=True)
class Flamegraph:
    """A selection as a call tree. max_nodes: 0 for all."""

    selection: Selection
    format: str = TREE
    max_nodes: int = DEFAULT_NODES
    most_stacks: int = MOST_STACKS

    def answer(self, database: Asked) -> FlamegraphAnswer:
        """Look it up; raises BadQuestionError."""
        with database.session() as session:
            self.selection.check(session)
            found = _look_up(session, self.selection, self.most_stacks)
        if self.format == TREE:
            return self._tree(found)
        return self._file(found)

    def _tree(self, found: _Found) -> FlamegraphAnswer:
        stacks, functions = _by_function(found)
        tree = self._pruned(trees.with_rest(trees.build(stacks), *found.rest))
        summary = _summary(self.selection, found, tree)
        items = np.unique(tree.item[1:])
        names = dict(zip(items.tolist(), _names(found, functions, items), strict=True))
        return FlamegraphAnswer(summary, tree_json(tree, names, summary))

    def _file(self, found: _Found) -> FlamegraphAnswer:
        tree = trees.with_rest(trees.build(_by_location(found)), *found.rest)
        tree = self._pruned(tree)
        summary = _summary(self.selection, found, tree)
        profile = _profile(self.selection, found, tree, summary)
        file = io.BytesIO()
        output.choose(FORMATS[self.format], None, False).write(profile, file)
        return FlamegraphAnswer(summary, file.getvalue())

    def _pruned(self, tree: Tree) -> Tree:
        return trees.prune(tree, self.max_nodes) if self.max_nodes else tree


@dataclass(frozen=True, slots=True)
class _Found:
    """Stacks of a selection and their frames.

    stacks: of indices of locations, leaf first; stops: indices of reasons. rest: value and number
    of the stacks that are left out.
    """

    covered: Range
    values: trees.Numbers
    stacks: Lists
    stops: trees.Numbers
    reasons: tuple[str, ...]
    frames: Frames
    unknown: int
    rest: tuple[int, int]


def _look_up(session: Session, selection: Selection, most_stacks: int) -> _Found:
    plan = selection.plan()
    bound = selection.parameters(plan)
    session.keep("chosen", sql.load("stacks", selection.selector), bound)
    values = np.asarray(session.ask("SELECT value FROM chosen")["value"], np.int64)
    most = {"most": most_stacks, "least": trees.least_of(values, most_stacks)}
    session.keep("largest", sql.load("largest_stacks"), most)
    largest = session.ask("SELECT stack_id, value FROM largest")
    session.keep("shown", sql.load("frames_of_stacks", selection.selector), bound)
    stacks = session.ask("SELECT stack_id, stop, frame_ids FROM shown")
    frames = frames_of(session.ask(sql.load("frames")))
    shown = np.asarray(largest["value"], np.int64)
    found, stops, reasons = _stacks(largest, stacks)
    return _Found(
        plan.covered,
        shown,
        Lists(found.starts, frames.indices(found.items)),
        stops,
        reasons,
        frames,
        int(shown[found.lengths == 0].sum()),
        (int(values.sum()) - int(shown.sum()), len(values) - len(shown)),
    )


def _stacks(largest: pa.Table, stacks: pa.Table) -> tuple[Lists, trees.Numbers, tuple[str, ...]]:
    """Frame IDs and stop reason of each of the largest stacks; what is not known has no frames.

    stacks: in any order, and some twice.
    """
    ids = _column(largest["stack_id"])
    places = np.asarray(pc.index_in(_column(stacks["stack_id"]), value_set=ids), np.int64)
    row = np.full(len(ids), len(places))
    row[places] = np.arange(len(places))
    stops = _column(stacks["stop"]).cast(pa.string()).dictionary_encode()
    reasons = (*map(str, stops.dictionary.to_pylist()), "")
    stop = np.append(np.asarray(stops.indices, np.int64), len(reasons) - 1)
    frame_ids = _column(stacks["frame_ids"])
    starts = np.asarray(frame_ids.offsets, np.int64)
    lists = Lists(np.append(starts, starts[-1]), np.asarray(frame_ids.values, np.uint64))
    return lists.take(row), stop[row], reasons


def _column(column: pa.ChunkedArray) -> Any:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _with_stops(found: _Found, stacks: Lists, first: int) -> Stacks:
    """Stacks, root first, of which incomplete ones begin with an item for the reason."""
    is_whole = np.array([reason in WHOLE_STOPS for reason in found.reasons], bool)
    has_stop = ~is_whole[found.stops] if len(found.stops) else np.zeros(0, bool)
    shift = np.concatenate([[0], np.cumsum(has_stop)])
    moved = np.empty(len(stacks.items) + int(shift[-1]), np.int64)
    moved[np.arange(len(stacks.items)) + np.repeat(shift[1:], stacks.lengths)] = stacks.items
    starts = stacks.starts + shift
    moved[starts[:-1][has_stop]] = first + found.stops[has_stop]
    return Stacks(moved, starts, found.values)


def _by_location(found: _Found) -> Stacks:
    """Items are locations and, above these, stop reasons."""
    return _with_stops(found, found.stacks.reversed(), len(found.frames.locations))


def _by_function(found: _Found) -> tuple[Stacks, Functions]:
    """Items are functions and, above these, stop reasons; and their names."""
    functions = found.frames.functions()
    stacks = found.stacks.reversed().through(functions.of_location)
    return _with_stops(found, stacks, len(functions)), functions


def _names(found: _Found, functions: Functions, items: trees.Numbers) -> list[Name]:
    """What functions and, above these, stop reasons are called."""
    stops = [(f"[incomplete: {reason}]", "", False) for reason in found.reasons]
    is_function = items < len(functions)
    called = functions.called(items[is_function])
    return [*called, *(stops[one] for one in (items[~is_function] - len(functions)).tolist())]


def _summary(selection: Selection, found: _Found, tree: Tree) -> Summary:
    is_whole = np.array([reason in WHOLE_STOPS for reason in found.reasons], bool)
    whole = found.values[is_whole[found.stops]].sum() if len(found.values) else 0
    return Summary(
        selection.type,
        kinds.unit_of(selection.type),
        found.covered,
        int(tree.total[0]),
        int(tree.total[0] - whole),
        found.unknown,
        int(tree.pruned.sum()),
        int(tree.pruned_nodes.sum()),
    )


def _profile(selection: Selection, found: _Found, tree: Tree, summary: Summary) -> Profile:
    kind = SampleType(summary.type, summary.unit)
    covered = summary.covered
    return Profile(
        samples_of([*_samples(found, tree)]),
        *kind,
        time_ns=covered.start_ms * 1_000_000,
        duration_ns=covered.length_ms * 1_000_000,
        comments=(str(selection.selector),),
        sample_types=(kind,),
    )


def _samples(found: _Found, tree: Tree) -> Iterator[Sample]:
    """A sample for each node at which stacks end, and for what was pruned below it."""
    locations = found.frames.locations
    pruned = Location(0, None, (Frame(PRUNED),))
    parents, items = tree.parent.tolist(), tree.item.tolist()
    for node in np.flatnonzero((tree.own > 0) | (tree.pruned > 0)).tolist():
        path, stop, at = [], "", node
        while at:
            if items[at] < len(locations):
                path.append(locations[items[at]])
            else:
                stop = found.reasons[items[at] - len(locations)]
            at = parents[at]
        for value, leaf in ((int(tree.own[node]), ()), (int(tree.pruned[node]), (pruned,))):
            if value:
                yield Sample(0, 0, "", (*leaf, *path), stop, value, values=(value,))
