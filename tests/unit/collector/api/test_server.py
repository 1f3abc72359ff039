"""A collector as a server: TLS, sockets of this machine, and options that change while it runs."""

from __future__ import annotations

import hashlib
import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ebprof.address import Address
from ebprof.agent.listener import Listener
from ebprof.agent.sender import Sender
from ebprof.features.collector import check_collector
from ebprof.tls import TlsFiles
from ebprof.wire.push import PATH
from tests import collector_extra
from tests.certificates import authority
from tests.collecting import Running
from tests.notified import systemd
from tests.stored import store

collector_extra.need()

READY = "/-/ready"
TYPES = "/api/v1/profiles/types"
PATIENCE_S = 60


def tokens(path: Path, *lines: str) -> Path:
    """A file of tokens; each line: a role and a token."""
    words = (line.split() for line in lines)
    path.write_text(
        "".join(
            f"{token} {role} {hashlib.sha256(token.encode()).hexdigest()}\n"
            for role, token in words
        )
    )
    return path


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_tls_with_certificates_of_clients(tmp_path: Path) -> None:
    ours, others = authority(tmp_path / "ours"), authority(tmp_path / "others")
    server = ours.issue("localhost")
    options = ("--tls-cert", server.cert, "--tls-key", server.key, "--tls-ca", server.ca)
    with Running(tmp_path / "data", *map(str, options)) as running:
        url = urlsplit(f"https://localhost:{running.port}")
        assert Sender(ours.issue("agent")).get(url, "/-/healthy").status == 200
        strangers = (TlsFiles(ca=ours.ca), others.issue("agent", ca=ours.ca))
        for files in (*strangers, ours.issue("agent", 1, ca=others.ca)):
            with pytest.raises(OSError):
                Sender(files).get(url, "/-/healthy")


def test_a_socket_of_this_machine_asks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "collector.sock"
    listed = tokens(tmp_path / "tokens", "push p")
    server = authority(tmp_path / "ours").issue("localhost")
    options = ["--listen", f"unix:{path}", "--token-file", listed]
    options += ["--tls-cert", server.cert, "--tls-key", server.key]
    with Running(tmp_path / "data", *map(str, options)) as running:
        url = urlsplit(f"https://localhost:{running.port}")
        sender = Sender(TlsFiles(ca=server.ca))
        assert sender.get(url, "/metrics").status == 401
        assert sender.get(url, "/metrics", "p").status == 403
        answer = sender.get(urlsplit(f"unix:{path}"), "/metrics")
        assert answer.status == 200 and b"ebprof_collector_store_ready" in answer.body


def test_metrics_of_another_program(tmp_path: Path) -> None:
    other = Listener(Address("127.0.0.1", 0), lambda: "ebprof_agent_x 7\n", lambda: True)
    of = other.place.url.removeprefix("http://")
    with Running(tmp_path / "data", "--metrics-of", of) as running:
        assert b"\nebprof_agent_x 7\n" in running.get("/metrics").body
        other.close()
        answer = running.get("/metrics")
        assert answer.status == 200 and b"ebprof_agent_x" not in answer.body


def test_options_are_read_anew(tmp_path: Path) -> None:
    config, old, new = (tmp_path / name for name in ("c.toml", "old", "new"))
    tokens(old, "push,read first")
    tokens(new, "push,read second")
    config.write_text(f"token-file = '{old}'\n")
    with Running(tmp_path / "data", "--config", str(config)) as running:

        def hang_up(text: str, result: str) -> None:
            before = counted(result)
            config.write_text(text)
            running.process.send_signal(signal.SIGHUP)
            wait_until(lambda: counted(result) > before)

        def status(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return running.request("GET", "/metrics", headers=headers).status

        def counted(result: str) -> int:
            for token in ("first", "second"):
                headers = {"Authorization": f"Bearer {token}"}
                text = running.request("GET", "/metrics", headers=headers).body.decode()
                for line in text.splitlines():
                    if line.startswith(f'ebprof_collector_reloads_total{{result="{result}"}}'):
                        return int(line.split()[1])
            return 0

        assert (status("first"), status("second")) == (200, 401)
        hang_up(f"token-file = '{new}'\nretention = 'raw=7d'\nlisten = '127.0.0.1:1'\n", "done")
        assert (status("first"), status("second")) == (401, 200)
        hang_up(f"token-file = '{old}'\ncolour = 'red'\n", "refused")
        hang_up("token-file = '/nowhere'\n", "refused")
        hang_up(f"token-file = '{new}'\nretention = 'raw=99d,1h=1d'\n", "refused")
        assert (status("first"), status("second")) == (401, 200)
        said = running.end()
    assert "the options were read anew" in said
    assert f"the options stay as they were: {config}:2: unknown option 'colour'" in said


def test_a_hang_up_without_a_file_ends_it(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs tests may ignore it
    try:
        running = Running(tmp_path / "data")
    finally:
        signal.signal(signal.SIGHUP, before)
    running.process.send_signal(signal.SIGHUP)
    _, said = running.process.communicate(timeout=PATIENCE_S)
    assert running.process.returncode == 0, said


def test_retention_changes_what_is_taken(tmp_path: Path) -> None:
    from tests import pushes

    config = tmp_path / "c.toml"
    config.write_text("retention = 'raw=3d'\n")
    old = pushes.push(pushes.pprof_bytes(time_ns=time.time_ns() - 5 * 86_400 * 10**9))
    with Running(tmp_path / "data", "--config", str(config)) as running:
        running.wait_until_ready()
        assert running.push(old).status == 400
        config.write_text("retention = 'raw=7d'\n")
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: running.push(old).status == 200)
        running.wait_until_stored()
        answer = running.get("/api/v1/profiles/flamegraph", type="cpu", from_="now-6d")
        assert answer.status == 200 and b'"main"' in answer.body


def test_plain_http_to_tls_is_refused(tmp_path: Path) -> None:
    server = authority(tmp_path / "ours").issue("localhost")
    options = ("--tls-cert", str(server.cert), "--tls-key", str(server.key))
    with Running(tmp_path / "data", *options) as running:
        with pytest.raises(OSError):
            Sender(TlsFiles())(urlsplit(f"http://localhost:{running.port}"), b"", "")
        with pytest.raises(ssl.SSLError):
            Sender(TlsFiles()).get(urlsplit(f"https://localhost:{running.port}"), PATH)


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.toml"
    config.touch()
    with systemd(tmp_path, monkeypatch, watchdog_s=1) as listener:
        running = Running(tmp_path / "data", "--config", str(config))
        assert listener.next() == "READY=1"
        assert listener.next() == "WATCHDOG=1"
        running.process.send_signal(signal.SIGHUP)
        listener.wait_for("RELOADING=1\nMONOTONIC_USEC=")
        listener.wait_for("READY=1")
        running.end()
        assert set(listener.wait_for("STOPPING=1")) <= {"WATCHDOG=1", "STOPPING=1"}


def test_who_asks_is_told_why_the_store_does_not_answer(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        running.wait_until_ready()
        running.kill_store()
        wait_until(lambda: running.get(READY).status == 503)
        wait_until(lambda: "SIGKILL" in str(running.get(READY).json))
        (problem,) = running.get(READY).json["problems"]
        assert problem.startswith("the store's process ended by SIGKILL: ")
        assert "; it is started again after 1 s" in problem
        url = f"http://127.0.0.1:{running.port}"
        (answer,) = (
            row for row in check_collector(url, None, TlsFiles()) if row.name == "collector_answer"
        )
        assert "SIGKILL" in answer.detail
        assert "SIGKILL" in running.get(TYPES).json["error"]
        running.wait_until_ready()
        assert running.metric('store_ends_total{reason="SIGKILL"}') == 1


def test_a_store_that_can_never_start_ends_the_collector(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("is no directory")
    running = Running(tmp_path)
    _, said = running.process.communicate(timeout=PATIENCE_S)
    assert running.process.returncode == 1
    assert "cannot open the store: " in said
    *_, last = said.splitlines()
    start = "ebprof: the store cannot be started: the store's process ended with 1: "
    assert last.startswith(start)
    assert "what was acknowledged is on disk" in last


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with store(tmp_path) as one:
        one.rows("INSERT INTO migrations VALUES (9999)")
    running = Running(tmp_path)
    _, said = running.process.communicate(timeout=PATIENCE_S)
    assert running.process.returncode == 1
    assert "was written by a newer ebprof" in said.splitlines()[-1]


def test_on_loopback_names_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "collector.sock"
    options = ("--listen", f"unix:{path}", "--allow-host", "profiles.example")
    with Running(tmp_path / "data", *options) as running:
        hosts = ("127.0.0.1", "localhost:1", "LocalHost.", "[::1]:8080", "10.0.0.1", "[fd00::1]")
        for host in (*hosts, "profiles.example:443"):
            assert running.request("GET", "/-/healthy", headers={"Host": host}).status == 200
        others = ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "", "[")
        for number, host in enumerate(others, 1):
            answer = running.request("GET", TYPES, headers={"Host": host})
            assert answer.status == 421
            assert repr(host)[:64] in answer.json["error"]
            assert "--allow-host" in answer.json["hint"]
            assert running.metric("hosts_refused_total") == number
