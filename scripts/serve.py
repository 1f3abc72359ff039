"""`make serve`: something to watch, and `ebprof serve` that watches it (`python -m scripts.serve`).

The demo program, redis, and two callers of it run beside it until Ctrl-C, and end with it.
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebprof.errors import EbprofError
from ebprof.serving.children import END_S, Child, ebprof, run_together
from ebprof.signals import SignalNotes, ending

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "build" / "demo"
CALLERS = {"checkout": (2_000, 100), "reports": (500, 100_000)}
"""Calls a second, and bytes of values, by name."""
_ADDRESS = re.compile(r"collector at (\S+),")
_READY = re.compile(r"(metrics at)")
_REDIS_S = 10.0
ADVICE = """
ebprof watches this machine; look at {url} in a browser, or ask:

  curl -sG {url}/api/v1/labels/service_name/values
  curl -sG {url}/api/v1/profiles/flamegraph -d type=cpu -d from=now-5m \\
      --data-urlencode 'query={{service_name="demo"}}' -d format=svg > demo.svg
  curl -sG {url}/api/v1/profiles/flamegraph -d type=cpu -d from=now-5m \\
      --data-urlencode 'query={{service_name="demo"}}' -d format=folded | flamegraph.pl > demo.svg
  curl -sG {url}/api/v1/profiles/series -d type=cpu -d by=service_name -d step=10s -d from=now-5m
  curl -sG {url}/api/v1/flows -d by=service,peer_service -d from=now-5m \\
      --data-urlencode 'query={{service="redis"}}'
  curl -s {url}/metrics

The first answers are there after half a minute. Beside the demo there are redis on port {redis},
and who calls it: {callers}. Ctrl-C ends all of it.
"""


def main() -> int:
    """Run everything until a signal; 1 when a part of it ended before."""
    given, options = _arguments()
    given.data.mkdir(parents=True, exist_ok=True)
    words = ["serve", "--listen", given.listen, "--data", str(given.data), *options]
    try:
        with SignalNotes(*ending()) as notes, _children(given.data, words) as children:
            run_together(children, notes)
    except EbprofError as error:
        _say(error.message)
        return error.exit_code
    return 0


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    """Ours, and what else `ebprof serve` is given."""
    parser = argparse.ArgumentParser(prog="scripts.serve", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8080", help="of ebprof serve")
    parser.add_argument("--data", type=Path, default=ROOT / "build" / "serve", help="of it")
    return parser.parse_known_args()


@contextmanager
def _children(data: Path, words: list[str]) -> Iterator[list[Child]]:
    """All of them; they end in the reverse order. words: `ebprof` is run with."""
    children: list[Child] = []
    try:
        port = free_port()
        children.append(run_redis(port, data))
        children.append(Child("demo", ["nice", str(DEMO)], _say))
        children.extend(run_caller(port, name, *load) for name, load in CALLERS.items())
        serving = ebprof(words, _say, end_s=3 * END_S)  # it has children of its own
        children.append(serving)
        url = serving.wait_for(_ADDRESS)
        serving.wait_for(_READY)
        print(ADVICE.format(url=url, redis=port, callers=", ".join(CALLERS)), flush=True)
        yield children
    finally:
        for child in reversed(children):
            child.end()


def run_redis(port: int, directory: Path) -> Child:
    """A redis that answers; raises EbprofError. directory: of its log."""
    log = directory / "redis.log"
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    # Its title stays as it is: redis writes it over the environment, where its name stands.
    command += ["--set-proc-title", "no", "--logfile", str(log)]
    redis = Child("redis", command, _say, {"OTEL_SERVICE_NAME": "redis"})
    end = time.monotonic() + _REDIS_S
    while redis.exit_code is None and time.monotonic() < end:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return redis
        time.sleep(0.05)
    redis.end()
    raise EbprofError(f"redis does not answer: see {log}")


def run_caller(port: int, name: str, calls: int, size: int) -> Child:
    """A client of redis; calls: a second; size: of values, in bytes."""
    words = (name, str(port), str(calls), str(size))
    command = [sys.executable, "-m", "scripts.caller", *words]
    return Child(name, command, _say, {"OTEL_SERVICE_NAME": name})


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _say(text: str) -> None:
    print(f"ebprof: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
