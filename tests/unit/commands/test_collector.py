"""The command line of `ebprof collector`: what it refuses before it serves, and `--check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof import cli
from ebprof.commands import collector
from ebprof.errors import EXIT_FAILURE, EXIT_UNSUPPORTED, EXIT_USAGE
from tests import collector_extra
from tests.collecting import Running

collector_extra.need()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["collector", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collector, "find_spec", lambda name: None if name == "chdb" else name)
    assert run() == EXIT_UNSUPPORTED
    error = capsys.readouterr().err
    assert error == "ebprof: the collector needs chdb: pip install 'ebprof[collector]'\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen", "0.0.0.0:0"], "can be reached by others"),
        (["--listen", "x"], "cannot read address 'x'"),
        (["--retention", "raw=3"], "cannot read retention 'raw=3'"),
        (["--store", "clickhouse://me:secret@"], "cannot read --store 'clickhouse://'"),
        (["--retention", "raw=9d,1h=8d"], "what is coarser is kept as long"),
    ],
)
def test_what_it_refuses(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", str(tmp_path), *arguments) == EXIT_USAGE
    assert message in capsys.readouterr().err


def test_it_runs_once_and_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    with Running(data, is_new=True) as running:
        listen = ("--listen", f"127.0.0.1:{running.port}")
        assert run("--data", str(data), "--listen", "127.0.0.1:0") == EXIT_FAILURE
        assert "is another collector's" in capsys.readouterr().err
        assert run("--data", str(tmp_path / "other"), *listen) == EXIT_FAILURE
        assert "cannot listen on" in capsys.readouterr().err
        running.wait_until_ready()
        assert run("--check", *listen) == 0
        said = capsys.readouterr().out.splitlines()
        assert [line.split()[:2] for line in said[:3]] == [
            ["disk", "ok"],
            ["log", "ok"],
            ["store", "ok"],
        ]
        assert said[-1] == "ready"
        running.kill_store()
        assert run("--check", *listen) in (0, 1)
        capsys.readouterr()
        store = running.store_pid()
    assert run("--check", *listen) == EXIT_FAILURE
    assert "no collector answers at" in capsys.readouterr().err
    assert store is None or not Path(f"/proc/{store}").exists()
