"""The last of the books: all programs have ended, and the tables themselves are read."""

from __future__ import annotations

import time

from tests.soak.books import Stored, books, compare_flows
from tests.soak.faults import System
from tests.soak.programs import NODE
from tests.soak.spooled import FlowSums, SpoolWatch
from tests.stored import SUMMED, store

_FLOWS = (
    "SELECT toUnixTimestamp64Milli(ts) AS start, count(), sum(tx_bytes), sum(rx_bytes)"
    " FROM flows WHERE node = {node:String} GROUP BY start"
)
_SAMPLES = "SELECT sum(value) FROM {} WHERE type = 'ebprof_samples:count'"
_WAIT_S = 120.0


def final_faults(system: System, spool: SpoolWatch) -> list[str]:
    """End all; what does not balance then, a line each."""
    _wait_for_spool(spool)
    system.agent.end()
    _wait_for_log(system)
    system.collector.end()
    waiting, spooled = spool.waiting(), spool.now()
    with store(system.collector.data) as one:
        sums = {name: one.rows(_SAMPLES.format(name))[0][0] or 0 for name in SUMMED}
        windows = {
            start: FlowSums(rows, tx, rx) for start, rows, tx, rx in one.rows(_FLOWS, node=NODE)
        }
        (by_hours,) = one.rows("SELECT sum(tx_bytes) + sum(rx_bytes) FROM flows_1h")[0]
        (by_windows,) = one.rows("SELECT sum(tx_bytes) + sum(rx_bytes) FROM flows")[0]
    stored = Stored(sums["samples"], sum(one.tx + one.rx for one in windows.values()))
    found = books(system.agent.runs, spooled, stored, waiting)
    wrong = found.faults()
    if len(set(sums.values())) != 1:
        wrong.append(f"samples and their sums differ: {sums}")
    if by_hours != by_windows:
        wrong.append(f"flows have {by_windows} bytes, and {by_hours} in sums of hours")
    if not waiting["flows"] and not spooled.unseen:
        wrong += compare_flows(spooled.flows, windows, found.flows_dropped)
    if found.cut_off and not any(run.is_killed for run in system.agent.runs):
        wrong.append(f"{found.cut_off:+,} samples were taken, and neither spooled nor counted")
    print(
        f"{found.taken:,} samples were taken by {len(system.agent.runs)} agents,"
        f" {found.never_spooled:,} never came to the spool, {found.cut_off:,} were in windows that"
        f" kills cut off; {found.spooled:,} were spooled in {spooled.files:,} files,"
        f" {found.stored:,} stored, dropped {dict(found.dropped)}, waiting {found.waiting:,},"
        f" missing {found.missing:,}\n"
        f"{found.flow_bytes_spooled:,} bytes of {spooled.flow_rows:,} flows in"
        f" {len(spooled.flows):,} windows were spooled, {found.flow_bytes_stored:,} stored;"
        f" {found.flows_dropped:,} flows dropped; {spooled.unseen} files unseen"
    )
    return wrong


def _wait_for_spool(spool: SpoolWatch) -> None:
    end = time.monotonic() + _WAIT_S
    while spool.waiting().total() and time.monotonic() < end:
        time.sleep(0.5)


def _wait_for_log(system: System) -> None:
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        system.collector.look()
        if system.collector.metrics.get("log_bytes") == 0:
            return
        time.sleep(0.5)
