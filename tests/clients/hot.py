"""Three quarters of its CPU time are `hot`'s: python hot.py URL SECONDS."""

import sys
import time

import pyroscope


def hot(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number * number
    return total


def cold(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number * number
    return total


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        hot(60_000)
        cold(20_000)


pyroscope.configure(
    application_name="python-client", server_address=sys.argv[1], tags={"region": "eu"}
)
work(float(sys.argv[2]))
pyroscope.shutdown()
