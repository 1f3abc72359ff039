"""Words in shards: handed out, taken back, none twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ebprof._native import lib
from ebprof.unwind.memory import Heap, Place, Shards
from tests.unit.unwind.fakes import FakeShards


def heap(limit: int = 2) -> Heap:
    return Heap(Shards(FakeShards()), limit)


def words_of(place: Place) -> set[tuple[int, int]]:
    return {(place.shard, place.at + i) for i in range(place.size)}


def test_places_do_not_overlap_and_are_even() -> None:
    made = heap()
    taken: set[tuple[int, int]] = set()
    for size in (3, 10, 1, lib.SHARD_WORDS - 100, 200):
        place = made.allocate(size)
        assert place is not None
        assert place.at % 2 == 0
        assert not words_of(place) & taken
        taken |= words_of(place)


def test_memory_ends_at_its_limit() -> None:
    made = heap(1)
    assert made.allocate(lib.SHARD_WORDS) == Place(0, 0, lib.SHARD_WORDS)
    assert made.allocate(2) is None
    assert made.free_words == 0
    assert not made.fits([2])


def test_two_heaps_share_the_numbers_of_shards() -> None:
    shards = Shards(FakeShards())
    places = [Heap(shards, 1).allocate(2) for _ in range(2)]
    assert places == [Place(0, 0, 2), Place(1, 0, 2)]


def test_a_shard_that_cannot_be_made_is_no_room_and_says_why() -> None:
    shards = Shards(FakeShards(limit=0))
    assert Heap(shards, 1).allocate(2) is None
    assert shards.failure == "cannot create a map"


def test_more_than_a_shard_cannot_be_had_in_one_piece() -> None:
    assert heap().allocate(lib.SHARD_WORDS + 1) is None


def test_what_moves_out_of_a_shard_goes_into_others_that_are_there() -> None:
    made = heap(3)
    first = made.allocate(lib.SHARD_WORDS)
    assert first is not None
    assert made.allocate(8) == Place(1, 0, 8)
    assert made.allocate(8, avoid=1) is None
    made.free(first)
    assert made.allocate(8, avoid=1) == Place(0, 0, 8)
    assert made.by_use() == [1, 0] or made.by_use() == [0, 1]


@given(st.lists(st.integers(2, 60000), min_size=1, max_size=40), st.randoms())
def test_all_that_is_freed_is_one_piece_again(sizes: list[int], random: object) -> None:
    made = heap(3)
    places = [place for place in map(made.allocate, sizes) if place]
    random.shuffle(places)  # type: ignore[attr-defined]
    free = made.free_words
    for place in places:
        made.free(place)
        free += place.size
        assert made.free_words == free
    assert made.fits([lib.SHARD_WORDS] * 3)
    for shard in range(3):
        assert made.allocate(lib.SHARD_WORDS) == Place(shard, 0, lib.SHARD_WORDS)


@given(
    st.lists(st.integers(1, lib.SHARD_WORDS), max_size=8),
    st.lists(st.integers(1, lib.SHARD_WORDS + 1), min_size=1, max_size=8),
)
def test_what_fits_can_be_allocated(taken: list[int], wanted: list[int]) -> None:
    made = heap(3)
    places = [place for place in map(made.allocate, taken) if place]
    for place in places[::2]:
        made.free(place)
    free = made.free_words
    fits = made.fits(wanted)
    assert made.free_words == free
    assert fits == all(made.allocate(size) is not None for size in wanted)
