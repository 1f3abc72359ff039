"""Flame graphs of any selection, as a call tree or in the formats of files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ebprof import output
from ebprof.collector import kinds
from ebprof.collector.query import sql
from ebprof.collector.query import tree as trees
from ebprof.collector.query.drawn import PRUNED, Drawn, columns, drawn, written
from ebprof.collector.query.frames import ALL, NAMES, Frames, Functions, Name, frames_of
from ebprof.collector.query.grown import GROWN, TREE_NODES, Grown, find
from ebprof.collector.query.nodes import head, tree_json
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.stacks import SHOWN, FoundStacks, look_up
from ebprof.collector.query.times import Range
from ebprof.collector.query.tree import Tree
from ebprof.collector.store.question import Asked, Session
from ebprof.model import Frame, Lists, Location, Profile, Sample, SampleType, samples_of

TREE, COLUMNS = "tree", "columns"
FORMATS = {
    TREE: TREE,
    COLUMNS: COLUMNS,
    "json": "json",
    "folded": "folded",
    "pprof": "pprof",
    "speedscope": "speedscope",
    "svg": "svg",
    "html": "flamegraph",
}
"""Names of formats in queries, and of their modules in `ebprof.output`."""
DEFAULT_NODES = TREE_NODES
MAX_NODES = 1_000_000
MOST_STACKS = 100_000
"""Beyond it the smallest are summed up, without a look at their frames."""
LEAST_STACKS = 5_000
"""The same of a part of a range of which the rest is answered by trees: its share, or so many."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a flame graph is of. covered: the range that was added up; values in `unit`.

    incomplete: of stacks that end before their outermost frame. pruned, pruned_nodes: what was left
    out of the tree, which nodes named `~pruned` stand for. unknown: of stacks that the store has
    lost, or not got yet. nameless: of those whose innermost function has no name.
    """

    type: str
    unit: str
    covered: Range
    total: int
    incomplete: int
    unknown: int
    pruned: int = 0
    pruned_nodes: int = 0
    nameless: int = 0


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
            found = self.look_up(session, NAMES if self.format == TREE else ALL)
        if self.format in (TREE, COLUMNS):
            return self._call_tree(found)
        return self._file(found)

    def drawn(self, session: Session) -> tuple[Drawn, Summary]:
        """As a tree with what is known of functions, for those who draw it."""
        return self.draw(self.look_up(session))

    def draw(self, found: Found) -> tuple[Drawn, Summary]:
        """The same of what was looked up."""
        functions = found.frames.functions()
        tree, summary = self._tree(found, functions.of_location, functions.are_nameless())
        return drawn(found, functions, tree), summary

    def look_up(self, session: Session, known: Sequence[str] = ALL) -> Found:
        """What there is of the selection, before it is pruned; raises BadQuestionError.

        known: what of its frames is looked up, see `frames_of`.
        """
        plan = self.selection.plan()
        grown = None
        if 0 < self.max_nodes <= TREE_NODES:
            grown, plan = find(session, self.selection, plan)
        # Nodes of what there are no trees of are shown beside those of all the range.
        most = max(int(self.most_stacks * plan.share), min(self.most_stacks, LEAST_STACKS))
        stacks = look_up(session, self.selection, plan, most)
        return Found(plan.covered, stacks, grown, _frames(session, grown, known))

    def _call_tree(self, found: Found) -> FlamegraphAnswer:
        functions = found.frames.functions()
        tree, summary = self._tree(found, functions.of_location, functions.are_nameless())
        if self.format == COLUMNS:
            shown = drawn(found, functions, tree)
            members = columns(shown, {"self": shown.tree.own})
            return FlamegraphAnswer(summary, written(head(summary), members))
        items = np.unique(tree.item[1:])
        names = dict(zip(items.tolist(), _names(found, functions, items), strict=True))
        return FlamegraphAnswer(summary, tree_json(tree, names, summary))

    def _file(self, found: Found) -> FlamegraphAnswer:
        numbers = np.arange(len(found.frames) + 1)
        lists = Lists(numbers, numbers[:-1])
        tree, summary = self._tree(found, lists, found.frames.is_nameless)
        profile = _profile(self.selection, found, tree, summary)
        file = io.BytesIO()
        output.choose(FORMATS[self.format], None, False).write(profile, file)
        return FlamegraphAnswer(summary, file.getvalue())

    def _tree(
        self, found: Found, of_location: Lists, are_nameless: npt.NDArray[np.bool_]
    ) -> tuple[Tree, Summary]:
        """The tree of the items of each location, of which some stand for what has no name."""
        whole = found.tree(of_location)
        tree = trees.prune(whole, self.max_nodes) if self.max_nodes else whole
        ends = np.flatnonzero((whole.item >= 0) & (whole.item < len(are_nameless)))
        nameless = int(whole.own[ends][are_nameless[whole.item[ends]]].sum())
        return tree, _summary(self.selection, found, tree, nameless)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a selection: stacks, a tree of what there are trees of, frames of both."""

    covered: Range
    stacks: FoundStacks
    grown: Grown | None
    frames: Frames

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why stacks end."""
        more = self.grown.reasons if self.grown else ()
        return tuple(dict.fromkeys((*self.stacks.reasons, *more)))

    def sum(self, name: str) -> int:
        """A value of both."""
        return int(sum(getattr(one, name) for one in (self.stacks, self.grown) if one))

    def tree(self, of_location: Lists) -> Tree:
        """A tree of both; items: of locations those of these lists, and above these, of reasons."""
        first = int(of_location.items.max()) + 1
        places = {reason: first + number for number, reason in enumerate(self.reasons)}
        frame_ids = self.stacks.frame_ids
        locations = Lists(frame_ids.starts, self.frames.indices(frame_ids.items))
        items = locations.reversed().through(of_location)
        stacks = self.stacks.of_items(items, _items(self.stacks, places))
        tree = trees.with_rest(trees.build(stacks), *self.stacks.rest)
        if self.grown is None:
            return tree
        of_frame = of_location.take(self.frames.indices(self.grown.frame_ids))
        grown = self.grown.through(of_frame, _items(self.grown, places))
        return trees.merged([tree, grown])


def _items(found: FoundStacks | Grown, places: dict[str, int]) -> trees.Numbers:
    return np.array([places[reason] for reason in found.reasons], np.int64)


def _frames(session: Session, grown: Grown | None, known: Sequence[str]) -> Frames:
    tables = (SHOWN, GROWN) if grown else (SHOWN,)
    ids = " UNION ALL ".join(f"SELECT frame_ids FROM {name}" for name in tables)
    places = {"lists": f"({ids})", "columns": ", ".join(known)}
    return frames_of(session.ask(sql.fill("frames", places)))


def _names(found: Found, functions: Functions, items: trees.Numbers) -> list[Name]:
    """What functions and, above these, stop reasons are called."""
    stops = [(f"[incomplete: {reason}]", "", False) for reason in found.reasons]
    is_function = items < len(functions)
    called = functions.called(items[is_function])
    return [*called, *(stops[one] for one in (items[~is_function] - len(functions)).tolist())]


def _summary(selection: Selection, found: Found, tree: Tree, nameless: int) -> Summary:
    return Summary(
        selection.type,
        kinds.unit_of(selection.type),
        found.covered,
        int(tree.total[0]),
        found.sum("incomplete"),
        found.sum("unknown"),
        int(tree.pruned.sum()),
        int(tree.pruned_nodes.sum()),
        nameless,
    )


def _profile(selection: Selection, found: Found, tree: Tree, summary: Summary) -> Profile:
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


def _samples(found: Found, tree: Tree) -> Iterator[Sample]:
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
