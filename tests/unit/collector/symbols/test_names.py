"""From addresses that were pushed to names, as the profiler itself has them."""

from __future__ import annotations

import hashlib
import io
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ebprof.comparison import compare
from ebprof.model import Location
from ebprof.output import pprof
from ebprof.wire import symbols
from ebprof.wire.symbols import Verdict
from tests import binutils, collector_extra, objects, pushes, stripped, targets
from tests.collecting import Running
from tests.objects import Object

collector_extra.need()
FLAMEGRAPH = "/api/v1/profiles/flamegraph"
STEP = 3
"""Each so many bytes of code an address is asked for."""
MOST = 300
LONG = 500
"""Bytes of a function that many addresses are in."""
PATIENCE_S = 120


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("names") / "data") as running:
        running.wait_until_ready()
        yield running


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.25)  # each look costs the store a tenth of a second


def build(name: str, variant: str = "default") -> Path:
    try:
        return targets.build(name, variant)
    except targets.MissingCompilerError as error:
        pytest.skip(str(error))


def addresses_in(path: Path) -> list[int]:
    """Addresses in all functions of a program that are its own."""
    found = [
        address
        for start, size in sorted(binutils.functions(path).values())
        for address in range(start, start + size, STEP)
    ]
    step = max(1, len(found) // MOST)
    return found[::step]


def push(running: Running, service: str, places: list[Location], at_ns: int = 0) -> None:
    message = pushes.push(objects.profile_of(places, at_ns), labels={"service_name": service})
    assert running.push(message).status == 200
    running.wait_until_stored()


def stacks(running: Running, service: str, **how: object) -> dict[str, int]:
    query = f'{{service_name="{service}"}}'
    answer = running.get(
        FLAMEGRAPH, type="cpu", query=query, format="folded", **({"from": "now-1h"} | how)
    )
    assert answer.status == 200, answer.body
    lines = (line.rpartition(" ") for line in answer.body.decode().splitlines())
    return {stack: int(value) for stack, _, value in lines}


def named(running: Running) -> int:
    return running.metric('lookups_total{result="named"}')


def looked_up(running: Running) -> int:
    return sum(
        running.metric(f'lookups_total{{result="{one}"}}') for one in ("named", "unknown", "failed")
    )


def by_tool(path: Path, addresses: list[int]) -> set[str]:
    found = objects.frames_by_tool(path, addresses).values()
    return {";".join(one.function for one in reversed(frames)) for frames in found}


def same_names(running: Running, service: str, expected: set[str]) -> bool:
    """Whether names are there; what nobody knows is an address in both, if another one."""
    found = stacks(running, service)
    return {one for one in found if not one.startswith("[")} == {
        one for one in expected if not one.startswith("[")
    }


@pytest.mark.parametrize(
    ("name", "make", "least"),
    [
        ("demo", stripped.copied, 100),
        ("demo", stripped.without_debug, 30),
        ("demo", stripped.with_minidebug, 30),
        ("demo", stripped.without_build_id, 100),
        ("gowork", stripped.without_symbols, 100),
    ],
    ids=("dwarf", "symtab", "minidebug", "no_build_id", "pclntab"),
)
def test_addresses_become_what_the_tool_names_them(
    collector: Running,
    tmp_path: Path,
    name: str,
    make: Callable[[Path, Path], Path],
    least: int,
) -> None:
    whole = build(name)
    path = stripped.renamed(make(whole, tmp_path / f"{make.__name__}-{name}"))
    addresses = addresses_in(whole)
    service = f"{make.__name__}-{name}"
    push(collector, service, objects.locations(path, addresses))
    push(collector, service, objects.locations(path, addresses), time.time_ns() - 1200 * 10**9)
    one = Object.of(path)
    first = stacks(collector, service)
    assert all(stack.startswith(f"[{path.name}]+0x") for stack in first)
    assert objects.want(collector, one) == (Verdict.WANTED, 0)
    assert objects.is_kept(objects.send(collector, one))
    expected = by_tool(path, addresses)
    assert len([one for one in expected if not one.startswith("[")]) >= least / 10
    wait_until(lambda: same_names(collector, service, expected))
    old = {"from": "now-30m", "to": "now-10m"}
    assert stacks(collector, service, **old).keys() == stacks(collector, service).keys()
    assert sum(stacks(collector, service, **old).values()) * 2 == sum(first.values())


def test_functions_of_a_stripped_program_are_told_apart(collector: Running, tmp_path: Path) -> None:
    """By where they begin, as the tool does; samples all over a function are one row."""
    whole = build("demo")
    path = stripped.renamed(stripped.without_symbols(whole, tmp_path / "bare-demo"))
    chosen = sorted({place for place in binutils.functions(whole).values() if place[1] >= LONG})
    assert len(chosen) >= 5
    addresses = [at for start, size in chosen for at in range(start, start + size, STEP)]
    push(collector, path.name, objects.locations(path, addresses))
    assert len(stacks(collector, path.name)) == len(addresses)
    assert objects.is_kept(objects.send(collector, Object.of(path)))
    wait_until(lambda: len(stacks(collector, path.name)) < len(addresses))
    found = stacks(collector, path.name)
    weight = sum(found.values()) // len(addresses)
    assert found == {
        f"[{path.name}]+{start:#x}": len(range(0, size, STEP)) * weight for start, size in chosen
    }
    assert found.keys() == by_tool(path, addresses)
    query = {"type": "cpu", "query": f'{{service_name="{path.name}"}}'}
    answer = collector.get(FLAMEGRAPH, format="pprof", **query)
    one = pprof.read(io.BytesIO(answer.body))
    compared = compare(one, one).changes()
    assert {change.function.name for change in compared} == found.keys()


def test_a_name_that_comes_later_replaces_a_start_and_stays(
    collector: Running, tmp_path: Path
) -> None:
    path = stripped.copied(build("demo"), tmp_path / "start-first")
    one, addresses = prepared(collector, path)
    bare = Object.of(stripped.without_symbols(path, tmp_path / "start-first.bare"))
    assert objects.is_kept(objects.send(collector, bare))
    starts = by_tool(bare.path, addresses)
    wait_until(lambda: len(stacks(collector, path.name)) == len(starts))
    assert objects.is_kept(objects.send(collector, one))
    wait_until(lambda: same_names(collector, path.name, by_tool(path, addresses)))


def prepared(running: Running, path: Path, count: int = 40) -> tuple[Object, list[int]]:
    """An object of its own whose addresses were pushed, by the service of its name."""
    addresses = addresses_in(path)[:count]
    stripped.renamed(path)
    push(running, path.name, objects.locations(path, addresses))
    return Object.of(path), addresses


def test_a_second_query_and_a_second_push_cost_no_look_up(
    collector: Running, tmp_path: Path
) -> None:
    one, addresses = prepared(collector, stripped.copied(build("demo"), tmp_path / "twice"))
    assert objects.is_kept(objects.send(collector, one))
    expected = by_tool(one.path, addresses)
    wait_until(lambda: same_names(collector, "twice", expected))
    before = looked_up(collector)
    found = stacks(collector, "twice")
    push(collector, "twice", objects.locations(one.path, addresses))
    assert stacks(collector, "twice").keys() == found.keys()
    assert looked_up(collector) == before


def test_pprof_and_json_have_files_lines_and_inlined_calls(
    collector: Running, tmp_path: Path
) -> None:
    one, addresses = prepared(collector, stripped.copied(build("demo"), tmp_path / "lines"), 200)
    assert objects.is_kept(objects.send(collector, one))
    expected = objects.frames_by_tool(one.path, addresses)
    wait_until(lambda: same_names(collector, "lines", by_tool(one.path, addresses)))
    query = {"type": "cpu", "query": '{service_name="lines"}'}
    answer = collector.get(FLAMEGRAPH, format="pprof", **query)
    found = {
        frames
        for sample in pprof.read(io.BytesIO(answer.body)).samples
        for frames in [sample.locations[0].frames]
        if frames[0].line
    }
    assert found == {frames for frames in expected.values() if frames[0].line}
    assert any(len(frames) > 1 for frames in found)
    text = collector.get(FLAMEGRAPH, format="json", **query).body.decode()
    assert all(json.dumps(frame.file) in text for frames in found for frame in frames)


def test_a_debug_file_that_comes_later_adds_lines(collector: Running, tmp_path: Path) -> None:
    path = stripped.copied(build("demo"), tmp_path / "later")
    one, addresses = prepared(collector, path)
    bare = Object.of(stripped.without_symbols(path, tmp_path / "later.bare"))
    debug = Object.of(stripped.debug_file(path, tmp_path / "later.debug"), is_debug=True)
    assert bare.identity == debug.identity == one.identity
    assert objects.is_kept(objects.send(collector, bare))
    wait_until(lambda: objects.want(collector, bare)[0] == Verdict.KNOWN)
    assert objects.want(collector, debug)[0] == Verdict.WANTED
    assert objects.is_kept(objects.send(collector, debug))
    wait_until(lambda: same_names(collector, "later", by_tool(path, addresses)))


def test_less_does_not_replace_more(collector: Running, tmp_path: Path) -> None:
    path = stripped.copied(build("demo"), tmp_path / "more")
    one, addresses = prepared(collector, path)
    assert objects.is_kept(objects.send(collector, one))
    expected = by_tool(path, addresses)
    wait_until(lambda: same_names(collector, "more", expected))
    less = Object.of(stripped.without_debug(path, tmp_path / "more.less"))
    assert objects.want(collector, less, "somebody-else") == (Verdict.KNOWN, 0)
    boast = replace(less, quality=one.quality + 0)
    assert not objects.is_kept(objects.send(collector, boast, sender="somebody-else"))
    push(collector, "more", objects.locations(path, addresses_in(path)[:60]))
    expected |= by_tool(path, addresses_in(path)[:60])
    wait_until(lambda: same_names(collector, "more", expected))


def damaged(one: Object, kind: str) -> Object:
    """A hostile object in place of one: what does it claim, and what is in it?"""
    head = len(one.stream) - sum_of_spans(one)
    data = bytearray(one.stream)
    if kind == "garbage":
        data = bytearray(b"x" * 5000)
    elif kind == "no_elf":
        data[head : head + 64] = bytes(64)
    elif kind == "terabytes":
        data[16:24] = (1 << 45).to_bytes(8, "little")
    elif kind == "disorder":
        data[32:48], data[48:64] = data[48:64], data[32:48]
    elif kind == "cut":
        data = data[: len(data) // 2]
    return replace(one, stream=bytes(data))


def sum_of_spans(one: Object) -> int:
    count = int.from_bytes(one.stream[24:32], "little")
    return len(one.stream) - 32 - 16 * count


@pytest.mark.parametrize("kind", ["garbage", "no_elf", "terabytes", "disorder", "cut"])
def test_what_is_no_object_is_refused(collector: Running, tmp_path: Path, kind: str) -> None:
    path = stripped.renamed(stripped.copied(build("demo"), tmp_path / kind))
    one = Object.of(path)
    answer = objects.send(collector, damaged(one, kind))
    assert (answer.status, answer.json["code"]) == (400, "invalid_argument"), answer.body
    assert objects.want(collector, one) == (Verdict.WANTED, 0)
    assert objects.is_kept(objects.send(collector, one))


def test_an_object_cannot_have_the_name_of_another(collector: Running, tmp_path: Path) -> None:
    path = stripped.renamed(stripped.copied(build("demo"), tmp_path / "wrong"))
    one = Object.of(path)
    other = Object.of(build("gowork"))
    answer = objects.send(collector, replace(other, identity=one.identity))
    assert answer.status == 400
    assert f"not {one.identity}" in answer.json["message"]
    checksum = list(one.parts())[-1]
    checksum.sha256 = bytes(32)
    for part in list(one.parts())[:-1]:
        assert objects.send_part(collector, part).status == 200
    assert "checksum" in objects.send_part(collector, checksum).json["message"]
    assert objects.want(collector, one) == (Verdict.WANTED, 0)


def test_corrupt_symbols_cost_their_own_object(collector: Running, tmp_path: Path) -> None:
    """All sections are noise, but for what says which object it is."""
    bad, addresses = prepared(collector, stripped.copied(build("demo"), tmp_path / "noise"))
    good, _ = prepared(collector, stripped.copied(build("demo"), tmp_path / "clean"))
    noise = bytearray(bad.stream)
    start = len(noise) - sum_of_spans(bad) + 4096
    noise[start:-4096] = random.Random(1).randbytes(len(noise) - 4096 - start)
    assert objects.is_kept(objects.send(collector, replace(bad, stream=bytes(noise))))
    assert objects.is_kept(objects.send(collector, good))
    wait_until(lambda: same_names(collector, "clean", by_tool(good.path, addresses)))
    before = looked_up(collector)
    time.sleep(1)
    assert looked_up(collector) == before
    assert stacks(collector, "noise")


@pytest.mark.parametrize("when", ["in_a_part", "before_names", "after_names"])
def test_a_collector_that_is_killed_names_all_the_same(tmp_path: Path, when: str) -> None:
    path = stripped.copied(build("demo"), tmp_path / "killed")
    running = Running(tmp_path / "data")
    running.wait_until_ready()
    one, addresses = prepared(running, path)
    parts = list(one.parts(size=100_000))
    for part in parts[:2]:
        assert not objects.is_kept(objects.send_part(running, part))
    assert objects.want(running, one) == (Verdict.WANTED, 200_000)
    if when != "in_a_part":
        answers = [objects.send_part(running, part) for part in parts[2:]]
        assert objects.is_kept(answers[-1])
    if when == "after_names":
        wait_until(lambda: named(running) > 0)
    running.kill()
    with Running(tmp_path / "data") as again:
        again.wait_until_ready()
        if when == "in_a_part":
            assert objects.want(again, one) == (Verdict.WANTED, 0)
            assert objects.is_kept(objects.send(again, one))
        assert objects.want(again, one) == (Verdict.KNOWN, 0)
        wait_until(lambda: same_names(again, "killed", by_tool(path, addresses)))
        assert again.metric("objects") == 1


def test_objects_are_for_those_who_may_push(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    tokens = tmp_path / "tokens"
    tokens.write_text(f"people read sha256:{digest}\n")
    one = Object.of(build("demo"))
    with Running(tmp_path / "data", "--token-file", str(tokens)) as running:
        body = one.offer().SerializeToString()
        headers = {"Content-Type": "application/proto"}
        assert running.request("POST", symbols.WANT_PATH, body, headers).status == 401
        headers["Authorization"] = "Bearer secret"
        assert running.request("POST", symbols.WANT_PATH, body, headers).status == 403
        assert running.request("POST", symbols.UPLOAD_PATH, body, headers).status == 403
