"""Labels by a CMDB and by a plug-in, from the files to the answers of a collector that runs."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ebprof import cli
from ebprof.errors import EXIT_BAD_FILE, EXIT_USAGE
from ebprof.wire import flows
from tests import builders, collector_extra, pushes
from tests.collecting import Running
from tests.examples import install
from tests.flow_windows import Process, flow, window

collector_extra.need()
_PATIENCE_S = 60
SHOP = Process("python3", 8, "shop")
CPU = builders.stack("main;f", 1, pid=0, comm="")


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def push(collector: Running, sent: int) -> None:
    """CPU time and flows of a shop on node a, which calls somebody outside."""
    profile = builders.profile(CPU, period=1_000_000, time_ns=time.time_ns())
    labels = {"service_name": "python3", "node": "a", "__service_source__": "executable"}
    message = pushes.push(pushes.pprof_bytes(profile), labels=labels)
    assert collector.push(message).status == 200
    call = flow(SHOP, tx=sent, local="10.0.0.1", address="192.0.2.7", port=443)
    encoded = flows.encode(window(call, node="a"))
    assert collector.push(encoded, flows.PATH).status == 200
    collector.wait_until_stored()


def moved(collector: Running, by: str, query: str = "{}") -> dict[str, int]:
    """Bytes sent, by a key."""
    answer = collector.get("/api/v1/flows", by=by, query=query)
    assert answer.status == 200, answer.body
    return {row[by]: row["tx_bytes"] for row in answer.json["rows"]}


def values(collector: Running, label: str) -> list[str]:
    return list(collector.get(f"/api/v1/labels/{label}/values").json["rows"])


def check(collector: Running, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Rows of enrichers."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["collector", "--check", "--listen", f"127.0.0.1:{collector.port}"])
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    return [" ".join(line.split()) for line in lines if line.startswith(("cmdb", "racks"))]


def test_labels_from_files_to_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install("enricher", tmp_path / "racks", monkeypatch)
    racks, cmdb, config = (tmp_path / name for name in ("racks.txt", "cmdb.csv", "ebprof.toml"))
    racks.write_text("a r17\n")
    cmdb.write_text("node,address,team,service_name\na,,search,store\n,192.0.2.0/24,pay,bank\n")
    config.write_text(f"cmdb = '{cmdb}'\n[enricher.racks]\nfile = '{racks}'\n")
    with Running(tmp_path / "data", "--config", str(config)) as collector:
        push(collector, 1)
        assert moved(collector, "team") == {"search": 1}
        assert moved(collector, "peer_service", '{team="search",peer_team="pay"}') == {"bank": 1}
        (edge,) = collector.get("/api/v1/topology").json["edges"]
        assert (edge["client"], edge["server"]) == ("store", "bank")
        assert moved(collector, "rack", '{service="store"}') == {"r17": 1}
        (row,) = collector.get("/api/v1/services", by="team").json["rows"]
        assert (row["team"], row["cpu"], row["tx_bytes"]) == ("search", 1_000_000, 1)
        folded = collector.get(
            "/api/v1/profiles/flamegraph", type="cpu", query='{team="search"}', format="folded"
        )
        assert folded.body == b"main;f 1000000\n"
        assert (values(collector, "rack"), values(collector, "service_name")) == (
            ["r17"],
            ["store"],
        )
        refused = collector.get("/api/v1/flows", by="colour")
        assert refused.status == 400 and "peer_team, rack, team" in refused.json["hint"]
        assert collector.metric(f'cmdb_entries{{place="{cmdb}"}}') == 2
        assert collector.metric("racks_nodes") == 1
        good = "ok what it reads is as it is used"
        assert check(collector, capsys) == [f"cmdb {good}", f"racks {good}"]

        cmdb.write_text("node,team\na,find\n")
        wait_until(lambda: collector.metric(f'cmdb_entries{{place="{cmdb}"}}') == 1)
        push(collector, 2)
        assert moved(collector, "team") == {"search": 1, "find": 2}
        assert moved(collector, "service") == {"store": 1, "shop": 2}

        cmdb.write_text("node,team\na\n")
        wait_until(lambda: collector.metric(f'cmdb_errors_total{{place="{cmdb}"}}') == 1)
        racks.unlink()
        wait_until(lambda: collector.metric('enricher_failures_total{enricher="racks"}') > 0)
        stays = "limited what it knew stays:"
        assert check(collector, capsys) == [
            f"cmdb {stays} cannot read {cmdb}:2: it sets no label",
            f"racks {stays} cannot read {racks}: no such file or directory",
        ]
        collector.process.send_signal(signal.SIGHUP)
        wait_until(lambda: collector.metric('reloads_total{result="refused"}') == 1)
        push(collector, 4)
        assert moved(collector, "team") == {"search": 1, "find": 6}

        config.write_text("")
        collector.process.send_signal(signal.SIGHUP)
        wait_until(lambda: collector.metric('reloads_total{result="done"}') == 1)
        collector.kill_store()
        push(collector, 8)
        assert moved(collector, "team") == {"search": 1, "find": 6, "": 8}
        assert "it sets no label: the entries stay as they were" in collector.end()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("cmdb = 'no.csv'", EXIT_BAD_FILE, "cannot read no.csv: no such file"),
        ("cmdb = ['http://']", EXIT_USAGE, "cannot read URL 'http://'"),
        ("cmdb = 3", EXIT_BAD_FILE, "cmdb is 3, and not a list of str"),
        ("cmdb-interval = 'x'", EXIT_USAGE, "cannot read interval 'x'"),
        ("[enricher.none]", EXIT_BAD_FILE, "there is no enricher 'none'"),
        ("[enricher.cmdb]", EXIT_BAD_FILE, "there is no enricher 'cmdb'"),
        ("enricher = 3", EXIT_BAD_FILE, "enricher is no table of tables"),
    ],
)
def test_what_cannot_be_used_is_an_error_at_the_start(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.toml").write_text(text)
    words = ["--config", "x.toml", "--data", "data", "--listen", "127.0.0.1:0"]
    with pytest.raises(SystemExit) as caught:
        cli.main(["collector", *words])
    assert caught.value.code == code
    assert message in capsys.readouterr().err
