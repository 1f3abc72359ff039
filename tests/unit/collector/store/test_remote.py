"""A store on a server of ClickHouse: a real one, which comes late, goes away and comes back."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("clickhouse_connect")

from ebprof.collector.receive import records
from ebprof.collector.store.connection import AwayError
from ebprof.collector.store.database import Database
from ebprof.collector.store.hashes import Hasher
from ebprof.collector.store.journal import Journal
from ebprof.collector.store.remote import Remote
from ebprof.collector.store.url import parse_store_url
from ebprof.collector.store.writer import Writer
from ebprof.tls import TlsFiles
from tests import clickhouse, collector_extra, pushes
from tests import senders as load
from tests.certificates import authority
from tests.collecting import Running
from tests.stored import FOREVER, SUMMED

collector_extra.need()
DATABASE = "ebprof_test"
AWAY = "the store is away: no answer from clickhouse://127.0.0.1"
PATIENCE_S = 60


def problems(running: Running) -> str:
    return " ".join(running.get("/-/ready").json["problems"])


def wait_until_away(running: Running) -> None:
    end = time.monotonic() + PATIENCE_S
    while AWAY not in problems(running):
        assert time.monotonic() < end, problems(running)
        time.sleep(0.1)


def test_a_store_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """What is pushed meanwhile is stored once; nobody sees the password."""
    with clickhouse.server(tmp_path / "server") as server:
        options = ("--store", server.url(DATABASE))
        with Running(tmp_path / "data", *options, is_new=True) as running:
            wait_until_away(running)
            assert running.push(pushes.push(pushes.pprof_bytes())).status == 200
            server.start()
            running.wait_until_stored()
            server.kill()
            assert running.push(pushes.push(pushes.pprof_bytes())).status == 200
            wait_until_away(running)
            assert running.get("/api/v1/services").status == 503
            server.start()
            running.wait_until_ready()
            running.wait_until_stored()
            (row,) = running.get("/api/v1/services").json["rows"]
            assert row["cpu"] == 2 * 30_000_000
            store = Path(f"/proc/{running.store_pid()}/cmdline").read_bytes()
            assert clickhouse.PASSWORD.encode() not in store
            assert not (tmp_path / "data" / "store").exists()
            said = running.end()
        assert said.count(AWAY) == 2 and said.count("the store is back") == 2
        assert clickhouse.PASSWORD not in said
        for table in SUMMED:
            rows = server.rows(DATABASE, f"SELECT sum(value) FROM {table}")
            assert rows == [(60_000_000,)], table


def test_a_segment_that_comes_again_is_known_by_its_token(tmp_path: Path) -> None:
    """By nothing else: the journal is lost. Other collectors' segments have the same numbers."""
    segment = tmp_path / "segment"
    messages = [
        pushes.push(pushes.pprof_bytes(time_ns=time.time_ns() - hours * 3600 * 10**9))
        for hours in (0, 30, 60)
    ]
    framed = (records.frame(records.Record(1, one.SerializeToString())) for one in messages)
    segment.write_bytes(b"".join(framed))
    with clickhouse.server(tmp_path / "server") as server:
        server.start()
        database = Database(Remote(parse_store_url(server.url(DATABASE))), FOREVER)
        for number, hasher in enumerate((Hasher(b"a"), Hasher(b"a"), Hasher(b"b"))):
            Writer(database, Journal(tmp_path / f"journal{number}"), hasher).write(7, segment)
        database.close()
        for table in SUMMED:
            found = server.rows(DATABASE, f"SELECT sum(value) FROM {table}")
            assert found == [(2 * 3 * 30_000_000,)], table


def test_by_tls_with_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    """Who has another one, and who is not let in, is not there."""
    ours, others = authority(tmp_path / "ours"), authority(tmp_path / "others")
    with (
        clickhouse.server(tmp_path / "server") as server,
        clickhouse.tls_before(server, ours.issue("127.0.0.1")) as port,
    ):
        server.start()
        url = parse_store_url(server.url(DATABASE, secure="1", ca=str(ours.ca)))
        url = replace(url, port=port)
        connection = Remote(url).connect({})
        assert connection.query("SELECT 1 WHERE {no:String} = 'x'", {"no": "y"})
        connection.close()
        wrong = replace(url, tls=TlsFiles(ca=others.ca)), replace(url, is_secure=False)
        for one in (*wrong, replace(url, password="other")):
            with pytest.raises(AwayError) as caught:
                Remote(one).connect({})
            assert str(url) in caught.value.message
            assert clickhouse.PASSWORD not in caught.value.message


def test_what_is_tried_again_is_there_once(tmp_path: Path) -> None:
    """Whoever is killed in the midst of it: by their tokens the server knows segments again."""
    stop, chance = threading.Event(), random.Random()
    with clickhouse.server(tmp_path / "server") as server:
        server.start()
        options = ("--store", server.url(DATABASE))
        with Running(tmp_path / "data", *options, is_new=True) as running:
            senders = [
                load.Sender(f"s{number}", lambda: running.port, stop, random.Random())
                for number in range(2)
            ]
            threads = load.start(senders)
            for _ in range(3):
                time.sleep(chance.uniform(0.5, 2.5))
                running.kill_store()
                time.sleep(chance.uniform(0.5, 2.5))
                server.kill()
                server.start()
            stop.set()
            for thread in threads:
                thread.join(PATIENCE_S)
            running.wait_until_stored()
        assert [sender.problem for sender in senders if sender.problem] == []
        expected = {sender.service: sum(sender.acknowledged) for sender in senders}
        for table in SUMMED:
            rows = server.rows(
                DATABASE, f"SELECT service, sum(value) FROM {table} GROUP BY service"
            )
            assert dict(rows) == expected, table
        expected = {sender.service: sum(sender.acknowledged_flows) for sender in senders}
        for table in ("flows", "flows_1h"):
            rows = server.rows(
                DATABASE, f"SELECT service, sum(tx_bytes) FROM {table} GROUP BY service"
            )
            assert dict(rows) == {name: sent for name, sent in expected.items() if sent}, table
