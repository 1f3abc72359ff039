"""Numbers of frames, stacks and series: what one sender pushed is nobody else's to change."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

from ebprof.collector.profiles.batch import read
from ebprof.collector.store.hashes import Hasher, hasher_of
from ebprof.collector.store.rows import Known, Rows, Sent, rows_of
from ebprof.model import Frame, Location, Mapping, Sample
from tests import builders, pushes

HASHER = Hasher(b"key")
NAMED = Location(0x401000, Mapping("/bin/a", "aa00", 0x400000, 0x500000), (Frame("f", "f.c", 7),))
ADDRESS = replace(NAMED, frames=(Frame("[a]+0x1000"),))


def rows(*locations: Location, hasher: Hasher = HASHER, service: str = "x") -> Rows:
    sample = Sample(0, 0, "", locations, "complete", 1)
    plain = gzip.decompress(pushes.pprof_bytes(builders.profile(sample)))
    sent = Sent((("service_name", service),), 10**15)
    return rows_of(read([plain], 64), [sent], Known(hasher))


def moved(location: Location, path: str, build_id: str) -> Location:
    return replace(location, mapping=Mapping(path, build_id, 0x400000, 0x500000))


def test_all_of_a_frame_is_a_part_of_its_number() -> None:
    for one in (NAMED, ADDRESS):
        others = [
            moved(one, "/bin/b", "aa00"),
            moved(one, "/bin/a", "bb00"),
            replace(one, frames=(Frame("g", "f.c", 7),)),
            replace(one, frames=(Frame("f", "g.c", 7),)),
            replace(one, frames=(Frame("f", "f.c", 8),)),
            replace(one, frames=(Frame("f", "f.c", 7, "_f"),)),
        ]
        ids = [next(iter(rows(other).frames)) for other in (one, *others)]
        assert len(set(ids)) == len(ids)
        assert rows(one).frames == rows(one).frames


def test_numbers_are_secret() -> None:
    """Without its key nobody can look for two things of the same number."""
    ours, theirs = rows(NAMED, ADDRESS), rows(NAMED, ADDRESS, hasher=Hasher(b"other"))
    for column in ("series_id", "rollup_series_id", "stack_id"):
        assert getattr(ours.samples, column)[0] != getattr(theirs.samples, column)[0]
    assert not ours.frames.keys() & theirs.frames.keys()


def test_a_store_keeps_its_key(tmp_path: Path) -> None:
    found = hasher_of(tmp_path / "key")
    assert len(found.key) == 32
    assert hasher_of(tmp_path / "key") == found
    assert hasher_of(tmp_path / "other").key != found.key
