"""Usage: pyjobs.py [MICROSECONDS [KIND]]

Truth, by KIND: all work is in `job`, each for about MICROSECONDS (2000).

thread   each job has a thread of its own, one after the other
pool     each has a process of its own, WORKERS at a time, which are reaped
"""

from __future__ import annotations

import os
import sys
import threading

ROUNDS_A_MICROSECOND = 15
WORKERS = 4


def job(microseconds: int) -> None:
    """The work."""
    total = 0
    for number in range(ROUNDS_A_MICROSECOND * microseconds):
        total += number


def in_thread(microseconds: int) -> None:
    """One job."""
    thread = threading.Thread(target=job, args=(microseconds,))
    thread.start()
    thread.join()


def in_process(microseconds: int) -> None:
    """One job, of which nobody waits for the end."""
    if os.fork() == 0:
        job(microseconds)
        os._exit(0)


def main(microseconds: int = 2000, kind: str = "thread") -> None:
    """Until it is killed."""
    print("ready", flush=True)
    if kind == "pool":
        for _ in range(WORKERS):
            in_process(microseconds)
    while True:
        if kind == "pool":
            os.wait()
            in_process(microseconds)
        else:
            in_thread(microseconds)


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["2000"])[0]), *sys.argv[2:])
