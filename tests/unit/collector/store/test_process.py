"""What is written is in the database once, and rollups are sums of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import ebprof.collector.store
from ebprof.collector.query.addresses import Address, OldestNames, Unnamed
from ebprof.collector.query.flamegraph import Flamegraph
from ebprof.collector.query.inventory import Books, Inventory
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.retention import parse as parse_retention
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.wire import Failure, KeepRequest, NameRequest, TidyRequest, WorkRequest
from ebprof.errors import EXIT_FAILURE
from ebprof.model import Frame, Location, Mapping, SampleType
from tests import builders, collector_extra, objects, pushes, slow
from tests.forked import Forked
from tests.stored import FOREVER, Sql, Store, store

collector_extra.need()
MIGRATIONS = Path(ebprof.collector.store.__file__).with_name("migrations")
DAY_NS = 24 * 3600 * 10**9
NOON = (time.time_ns() // DAY_NS - 2) * DAY_NS + DAY_NS // 2


def test_segments_are_written_once_and_rolled_up(tmp_path: Path) -> None:
    profiles = [
        pushes.pprof_bytes(time_ns=NOON + offset * 10**9) for offset in (0, 10, 3600, 24 * 3600)
    ]
    first = pushes.push(*profiles, labels={"service_name": "a", "pod": "x", "__name__": "cpu"})
    pushes.add_series(first, profiles[0], labels={"service_name": "a", "pod": "y"})
    types = (SampleType("alloc_space", "bytes"), SampleType("custom", "things"))
    heap = builders.profile(
        builders.stack("main;f", 7, values=(100, 7)), time_ns=NOON, sample_types=types, shown=1
    )
    second = pushes.push(pushes.pprof_bytes(heap), labels={})
    segment = tmp_path / "segment"
    with store(tmp_path, is_new=True) as one:
        written = one.write(segment, first, second, number=5)
        assert (written.samples, written.pushes, written.unreadable) == (7, 2, 0)
        one.write(segment, first, second, number=5)
    with store(tmp_path) as one:
        one.write(segment, first, second, number=5)
        assert one.rows("SELECT type, sum(value) FROM samples GROUP BY type ORDER BY type") == [
            ("cpu", 5 * 30_000_000),
            ("custom:things", 7),
            ("heap_alloc", 100),
        ]
        assert one.rows("SELECT count() FROM samples") == [(7,)]
        for table, expected in (("samples_1h", [90, 30, 30]), ("samples_1d", [120, 30])):
            sums = one.rows(
                f"SELECT ts, sum(value) FROM {table} WHERE type = 'cpu' GROUP BY ts ORDER BY ts"
            )
            assert [value // 1_000_000 for _, value in sums] == expected
        series = one.rows("SELECT labels FROM series FINAL WHERE service = 'a' ORDER BY labels")
        assert [dict(labels)["pod"] for (labels,) in series] == ["x", "x", "y"]
        assert one.rows("SELECT uniq(series_id), uniq(rollup_series_id) FROM series") == [(3, 2)]
        bad = one.request(Sql("SELECT match('', '(')"))
        assert isinstance(bad, Failure)
        assert bad.is_question
        broken = one.request(Sql("SELECT nonsense"))
        assert isinstance(broken, Failure)
        assert not broken.is_question


def files_of_columns(one: Store) -> set[int]:
    """Inodes: a part that only has another TTL has the same files."""
    places = one.rows("SELECT path FROM system.parts WHERE active AND table LIKE 'samples%'")
    found = {path.stat().st_ino for (place,) in places for path in Path(place).glob("*.bin")}
    assert found
    return found


def test_what_is_too_old_is_dropped_and_retention_may_change(tmp_path: Path) -> None:
    profiles = [pushes.pprof_bytes(time_ns=NOON - days * DAY_NS) for days in (0, 4, 200, 500)]
    days = (("samples", 1), ("samples_1h", 2), ("samples_1d", 3))
    with store(tmp_path, Retention()) as one:
        for table, _ in days:  # a file for each column, as large parts have
            one.rows(f"ALTER TABLE {table} MODIFY SETTING min_bytes_for_wide_part = 0")
        one.write(tmp_path / "segment", *map(pushes.push, profiles))
        for table, expected in days:
            one.rows(f"OPTIMIZE TABLE {table} FINAL")
            assert one.rows(f"SELECT uniq(toDate(ts)) FROM {table}") == [(expected,)]
        assert one.rows("SELECT sum(is_done = 0) FROM system.mutations") == [(0,)]
        before = files_of_columns(one)
    grown = replace(Retention(), raw_ms=30 * DAY_MS, hour_ms=300 * DAY_MS)
    with store(tmp_path, grown) as one:
        assert files_of_columns(one) == before, "what stays is not written anew"
        for table, expected in days:
            one.rows(f"OPTIMIZE TABLE {table} FINAL")
            assert one.rows(f"SELECT uniq(toDate(ts)) FROM {table}") == [(expected,)]
        assert one.request(KeepRequest(parse_retention("raw=3d,1h=0d,1d=400d"))) is None
        one.rows("OPTIMIZE TABLE samples_1h FINAL")
        for table, expected in (("samples", 1), ("samples_1h", 1), ("samples_1d", 3)):
            assert one.rows(f"SELECT uniq(toDate(ts)) FROM {table}") == [(expected,)], table


def test_sizes_and_books(tmp_path: Path) -> None:
    """A sum that samples do not add up to is found."""
    profiles = [pushes.pprof_bytes(time_ns=NOON + offset * 10**9) for offset in (0, 3600)]
    books = WorkRequest(Books(NOON // 10**6 - 3 * DAY_MS))
    with store(tmp_path) as one:
        one.write(tmp_path / "segment", pushes.push(*profiles))
        stock = one.request(Inventory(NOON // 10**6))
        sizes = {table.name: table for table in stock.tables}
        assert sizes["samples"].rows == 2 and sizes["samples"].bytes > 0
        assert sizes["samples"].oldest_ms == NOON // DAY_NS * DAY_MS
        assert sizes["samples_1d"].oldest_ms <= sizes["samples"].oldest_ms
        assert sizes["frames"].oldest_ms == 0
        assert stock.version == len([*MIGRATIONS.glob("*.sql")])
        assert one.request(books) == []
        one.rows("INSERT INTO services_1h SELECT * FROM services_1h LIMIT 1")
        (found,) = one.request(books)
        assert (found.table, found.value, found.samples) == ("services_1h", 90_000_000, 60_000_000)


def test_names_are_added_and_never_taken_away(tmp_path: Path) -> None:
    """By a look-up that finds nothing, or by who pushes the same address again."""
    mapping = Mapping("/bin/a", "aa00", 0x400000, 0x500000)
    unnamed = Location(0x401000, mapping, (Frame("[a]+0x1000"),))
    push = pushes.push(objects.profile_of([unnamed]))
    now_ms = time.time_ns() // 1_000_000
    last_hour = Range(now_ms - 3600_000, now_ms + 600_000)
    question = Flamegraph(Selection("cpu", parse("{}"), last_hour, now_ms, FOREVER), "folded")
    with store(tmp_path) as one:
        one.write(tmp_path / "segment", push)
        (address,) = one.request(Unnamed("aa00", 2, 10))
        row = FrameRow(address.frame_id, "/bin/a", "aa00", 0x1000, ("f",), ("",), ("f.c",), (7,))
        nothing = replace(row, names=(), system_names=(), files=(), lines=())
        for version, found in ((2, row), (3, nothing)):
            assert one.request(NameRequest((found,), version)) is None
            assert one.request(Unnamed("aa00", version, 10)) == []
        elsewhere = replace(mapping, path="/evil")
        evil = replace(unnamed, mapping=elsewhere, frames=(Frame("[evil]+0x1000"),))
        one.write(tmp_path / "other", pushes.push(objects.profile_of([evil])), number=2)
        answer = one.request(question)
        assert {line.rpartition(b" ")[0] for line in answer.body.splitlines()} == {
            b"f",
            b"[evil]+0x1000",
        }
        assert [found.module for found in one.request(Unnamed("aa00", 3, 10))] == ["/evil"]


def test_frames_go_when_no_stack_has_them(tmp_path: Path) -> None:
    """Those in use stay, with their names; what comes again has names again."""
    mapping = Mapping("/bin/a", "aa00", 0x400000, 0x500000)
    places = [
        Location(0x401000 + number, mapping, (Frame(f"[a]+{0x1000 + number:#x}"),))
        for number in range(20)
    ]
    segment = tmp_path / "segment"
    with store(tmp_path) as one:
        one.write(segment, pushes.push(objects.profile_of(places)))
        found = one.request(Unnamed("aa00", 2, 99))
        rows = tuple(_named(address) for address in found)
        assert one.request(NameRequest(rows, 2)) is None
        assert one.request(TidyRequest()) == 0
        one.rows(
            "ALTER TABLE stacks DELETE WHERE NOT has(frame_ids, {kept:UInt64})"
            " SETTINGS mutations_sync = 1",
            kept=rows[7].frame_id,
        )
        assert one.request(TidyRequest()) >= 19
        frames = one.rows("SELECT frame_id, names FROM frames FINAL")
        assert frames == [(rows[7].frame_id, ["f4103"])]
        assert one.rows("SELECT frame_id FROM file_addresses FINAL") == [(rows[7].frame_id,)]
    with store(tmp_path) as one:
        one.write(segment, pushes.push(objects.profile_of(places)), number=2)
        again = one.request(Unnamed("aa00", 2, 99))
        assert {address.frame_id for address in again} == {
            address.frame_id for address in found
        } - {rows[7].frame_id}
        assert one.rows("SELECT count() FROM frames FINAL") == [(20,)]
        assert one.request(TidyRequest()) == 0


def _named(address: Address) -> FrameRow:
    names = (f"f{address.offset}",)
    return FrameRow(
        address.frame_id, address.module, "aa00", address.offset, names, ("",), ("",), (1,)
    )


@pytest.mark.parametrize("is_broken", [False, pytest.param(True, marks=slow.only)])
def test_what_earlier_versions_have_is_kept(tmp_path: Path, is_broken: bool) -> None:
    """In each table that is still there; also where the last update was broken off, anywhere."""
    words = ["-m", "tests.migrated", str(tmp_path / "store"), *(["broken"] if is_broken else [])]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    (said,) = done.stdout.splitlines()
    assert said.endswith(f" stores of {len([*MIGRATIONS.glob('*.sql')])} versions")


def test_an_older_ebprof_leaves_a_store_alone(tmp_path: Path) -> None:
    with store(tmp_path) as one:
        one.rows("INSERT INTO migrations VALUES (9999)")
        one.end()
    ours, theirs = socket.socketpair()
    words = (theirs.fileno(), tmp_path / "store", *[DAY_MS] * 3)
    module = "ebprof.collector.store.process"
    with ours, Forked(module, *words, stderr=subprocess.PIPE, pass_fds=[theirs.fileno()]) as done:
        _, said = done.communicate()
    theirs.close()
    assert done.returncode == EXIT_FAILURE
    assert b"the store was written by a newer ebprof" in said.splitlines()[-1]


def test_names_of_an_earlier_version_are_kept(tmp_path: Path) -> None:
    """With what it had: names of its addresses, and addresses that wait for names."""
    old = (
        "import sys; from ebprof.collector.store import database;"
        "every = database.migrations(); database.migrations = lambda: every[:3];"
        "database.Database.keep = lambda *_: None;"
        "from ebprof.collector.store.embedded import Embedded;"
        "one = database.Database(Embedded(sys.argv[1]), None);"
        "one.run(\"INSERT INTO frames VALUES (7, '/a', 'aa00', 16, [], [], [], [], 1)\");"
        "one.run(\"INSERT INTO frames VALUES (8, '/a', 'aa00', 32, ['f'], [''], [''], [0], 9)\");"
    )
    columns = "build_id, address, frame_id, module, version"
    old += f"one.run('INSERT INTO addresses SELECT {columns} FROM frames')"
    subprocess.run([sys.executable, "-c", old, str(tmp_path / "store")], check=True)
    with store(tmp_path) as one:
        assert one.request(Unnamed("aa00", 9, 10)) == [Address(7, "/a", 16)]
        assert one.request(OldestNames()) == {"aa00": 1}
        names = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
        assert one.rows("SELECT max(number) FROM migrations") == [(len(names),)]
        assert one.rows("EXISTS TABLE addresses") == [(0,)]
        skipped = "SELECT table, expr, type FROM system.data_skipping_indices"
        assert one.rows(skipped) == [("samples", "ts", "minmax")]


def test_whoever_has_the_lock_finds_the_database_unlocked(tmp_path: Path) -> None:
    """A process that dies closes what it has open from the lowest descriptor on."""
    with store(tmp_path) as one:
        descriptors = Path(f"/proc/{one.process.pid}/fd")
        *others, last = sorted(descriptors.iterdir(), key=lambda path: int(path.name))
        assert last.readlink() == tmp_path / "store.lock"
        assert tmp_path / "store" / "status" in [path.readlink() for path in others]


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    with store(tmp_path) as one:
        one._connection.close()
        assert one.process.wait(10) == 0
