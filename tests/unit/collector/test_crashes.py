"""Whatever is killed, and whenever: what was acknowledged is stored once, and rollups agree.

EBPROF_CRASHES says how often something is killed: twice here, 200 times by `make crashes`.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

from tests import collector_extra
from tests import senders as load
from tests.collecting import Running
from tests.stored import SUMMED, store

collector_extra.need()
CRASHES = int(os.environ.get("EBPROF_CRASHES", "2"))
SENDERS = 3
LONGEST_S = 4.0


def test_what_is_acknowledged_is_stored_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("EBPROF_SEED") or random.randrange(1 << 32))
    print(f"EBPROF_SEED={seed}")
    chance = random.Random(seed)
    data = tmp_path / "data"
    stop = threading.Event()
    current = [Running(data, is_new=True)]
    senders = [
        load.Sender(f"s{number}", lambda: current[0].port, stop, random.Random(seed + number + 1))
        for number in range(SENDERS)
    ]
    threads = load.start(senders)
    for _ in range(CRASHES):
        time.sleep(chance.uniform(0, LONGEST_S))
        crash(current, data, chance.choice(("collector", "store", "both")))
    stop.set()
    for thread in threads:
        thread.join(120)
    current[0].wait_until_stored()
    current[0].end()
    assert [sender.problem for sender in senders if sender.problem] == []
    expected = {sender.service: sum(sender.acknowledged) for sender in senders}
    profiles = sum(len(sender.acknowledged) for sender in senders)
    print(f"{profiles} profiles in {sum(sender.attempts for sender in senders)} attempts")
    with store(tmp_path / "data") as one:
        for table in SUMMED:
            rows = one.rows(f"SELECT service, sum(value) FROM {table} GROUP BY service")
            assert dict(rows) == expected, table
        assert one.rows("SELECT count() FROM samples") == [(profiles,)]
        expected = {sender.service: sum(sender.acknowledged_flows) for sender in senders}
        for table in ("flows", "flows_1h"):
            rows = one.rows(f"SELECT service, sum(tx_bytes) FROM {table} GROUP BY service")
            assert dict(rows) == {name: sent for name, sent in expected.items() if sent}, table
        sent = sum(len(sender.acknowledged_flows) for sender in senders)
        assert one.rows("SELECT count() FROM flows") == [(sent,)]
        lost = "SELECT count() FROM samples WHERE stack_id NOT IN (SELECT stack_id FROM stacks)"
        assert one.rows(lost) == [(0,)]
        lost = "SELECT count() FROM samples WHERE series_id NOT IN (SELECT series_id FROM series)"
        assert one.rows(lost) == [(0,)]


def crash(current: list[Running], data: Path, victim: str) -> None:
    """Kill a process or both; the collector is started again, and starts its store again itself."""
    if victim != "collector":
        current[0].kill_store()
    if victim != "store":
        current[0].kill()
        current[0] = Running(data, is_new=True)
