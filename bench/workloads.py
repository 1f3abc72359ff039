"""Processes to profile, each started for one measurement and stopped after it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.run import Target, Workload
from tests import targets

TYPES = 400  # instantiated per header; makes the compiler run for half a minute and more
SOURCE_HEAD = "\n".join(
    f"#include <{header}>"
    for header in ["algorithm", "functional", "map", "random", "regex", "string", "unordered_map"]
)
SOURCE_TYPE = """
struct Key{n} {{ std::string name; int rank; bool operator<(const Key{n} &o) const
    {{ return rank < o.rank || (rank == o.rank && name < o.name); }} }};
int work{n}(const std::string &text) {{
    std::map<Key{n}, std::vector<std::string>> index;
    std::unordered_map<std::string, std::function<int(Key{n})>> calls;
    std::vector<Key{n}> keys(text.size());
    std::sort(keys.begin(), keys.end());
    std::shuffle(keys.begin(), keys.end(), std::mt19937({n}));
    for (auto &key : keys) index[key].push_back(text);
    calls[text] = [&](Key{n} key) {{ return static_cast<int>(index[key].size()); }};
    return std::regex_match(text, std::regex("a{n}+b")) + calls[text](keys[0]);
}}
"""


@contextmanager
def clang() -> Iterator[Target]:
    """clang++-19 compiling a large C++ file at -O2, in one process."""
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "heavy.cpp"
        source.write_text(SOURCE_HEAD + "".join(SOURCE_TYPE.format(n=n) for n in range(TYPES)))
        output = str(source.with_suffix(".o"))
        command = ["clang++-19", "-std=c++17", "-O2", "-c", str(source), "-o", output]
        with subprocess.Popen(command) as process:
            try:
                _wait_until_compiling(process.pid)
                yield process
            finally:
                process.kill()


@contextmanager
def redis() -> Iterator[Target]:
    """redis-server answering redis-benchmark over a socket of its own."""
    with tempfile.TemporaryDirectory() as directory:
        socket = Path(directory) / "redis.sock"
        server = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
        client = ["redis-benchmark", "-s", str(socket), "-t", "set,get,lrange_100", "-l", "-q"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen([*server, "--dir", directory], stdout=quiet) as process:
            try:
                _wait_for(socket)
                with subprocess.Popen(client, stdout=quiet, stderr=quiet) as load:
                    try:
                        yield process
                    finally:
                        load.kill()
            finally:
                process.kill()


def program(name: str, variant: str = "default", *args: object) -> Workload:
    """One of tests/programs."""
    return partial(targets.running, name, *args, variant=variant)


WORKLOADS: dict[str, Workload] = {
    "demo": program("demo"),
    "demo, stripped": program("demo", "stripped"),
    "rust": program("rustwork"),
    "redis": redis,
    "clang-19": clang,
}


def _wait_until_compiling(pid: int, seconds: float = 10) -> None:
    """Until the compiler has all of its libraries: it then burns CPU."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if int(fields[11]) >= 20:
            return
        time.sleep(0.05)
    raise RuntimeError("clang++-19 does not get to work")


def _wait_for(path: Path, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > end:
            raise RuntimeError(f"{path} does not appear")
        time.sleep(0.05)
