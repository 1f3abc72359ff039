"""Software as it is installed, and the README's demo."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bench import workloads as bench
from tests import targets
from tests.proof.elsewhere import accounted, unstripped
from tests.proof.start import Process, process, program
from tests.proof.truth import chains
from tests.proof.workload import NotHereError, Workload

THREAD = (
    r"(?:__)?clone3?|start_thread|execute_native_thread_routine|\[libstdc[^\n]*|"
    r"std::thread::_State_impl[^\n]*"
)
RUN, SERVE, RENDER = "kv::Worker::run", "kv::Worker::serve", "kv::Worker::render"
STORE = ("kv::Store::find", "kv::Store::scan")
FILTER = "std::_Function_handler*"
HANDLER = ("kv::GetHandler::handle", "kv::ScanHandler::handle")
DEMO = chains(
    [RUN, SERVE, RENDER, "kv::checksum"],
    [RUN, SERVE, RENDER, FILTER, "kv::compress", "kv::match_length"],
    [RUN, SERVE, RENDER, FILTER, "kv::compress", ...],
    [RUN, SERVE, RENDER, FILTER, ...],
    [RUN, SERVE, RENDER, "kv::Router::dispatch", HANDLER, STORE, ...],
    [RUN, SERVE, RENDER, "kv::Router::dispatch", HANDLER, ...],
    [RUN, SERVE, RENDER, "kv::Router::dispatch", ...],
    [RUN, SERVE, RENDER, ...],
    [RUN, SERVE, "kv::Parser::parse", "kv::Parser::parse_header", ...],
    [RUN, SERVE, "kv::Parser::parse", ...],
    [RUN, SERVE, ...],
    [RUN, ...],
    ["kv::listen", "kv::receive", ...],
    ["kv::listen", ...],
    ["kv::compact_often", "kv::Journal::compact", ...],
    ["kv::compact_often", ...],
    start=THREAD,
)


@contextmanager
def needing(
    tools: tuple[str, ...], workload: Callable[[], AbstractContextManager[Process]]
) -> Iterator[Process]:
    """A workload of programs that may not be installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise NotHereError(f"no {tool}")
    with workload() as running:
        yield running


WORKLOADS = (
    Workload("demo", program("demo"), DEMO),
    Workload(
        "demo stripped",
        program("demo", variant="stripped"),
        unstripped(lambda: targets.build("demo"), DEMO),
    ),
    Workload(
        "redis under load",
        process(lambda: needing(("redis-server", "redis-benchmark"), bench.redis)),
        accounted,
    ),
    Workload("clang-19", process(lambda: needing(("clang++-19",), bench.clang)), accounted),
)
