"""What a kernel cannot do costs one line, and what it can is chosen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebprof import features
from ebprof.features import Feature
from tests import needed

ROOT = Path(__file__).parents[2]
CONFTEST = """
from pathlib import Path

from ebprof import features
from ebprof.features import Feature

pytest_plugins = ["tests.needed"]

def probe(name):
    with Path(__file__).with_name("looked_for").open("a") as file:
        print(name, file=file)
    state = features.MISSING if "no" in name else features.OK
    return Feature(name, state, "it is not there", "", "", False)

features.probe = probe
"""
TESTS = """
import pytest

@pytest.fixture(scope="module", params=[
    pytest.param(name, marks=pytest.mark.needs(name)) for name in ("yes", "no", "not yet")
])
def way(request):
    return request.param

@pytest.mark.parametrize("number", range(5))
def test_every_way(way, number):
    assert way == "yes"

def test_always():
    pass
"""


@pytest.fixture
def feature(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a feature of which there is half."""
    half = Feature("half", features.LIMITED, "the other half is missing", "", "", False)
    monkeypatch.setattr(needed, "found", lambda _: half)
    return half.name


@pytest.mark.parametrize("processes", [0, 2])
def test_tests_of_what_is_missing_are_left_out_and_counted(tmp_path: Path, processes: int) -> None:
    if processes:
        pytest.importorskip("xdist")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_ways.py").write_text(TESTS)
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "-W", "ignore"]
    options += ["-p", "xdist", "-n", str(processes)] if processes else []
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout.splitlines()[-1]
    assert [line for line in done.stdout.splitlines() if " need " in line] == [
        "5 tests need no: it is not there",
        "5 tests need not yet: it is not there",
    ]
    looked_for = (tmp_path / "looked_for").read_text().splitlines()
    assert sorted(looked_for) == ["no", "not yet", "yes"], "once, for all processes"


def test_a_feature_must_be_all_there_unless_less_will_do(feature: str) -> None:
    assert needed.missing(feature) == "half: the other half is missing"
    assert needed.missing(feature, features.OK, features.LIMITED) == ""


def test_a_single_test_is_skipped(feature: str) -> None:
    needed.skip_without(feature, features.LIMITED)
    with pytest.raises(pytest.skip.Exception, match="half: the other half is missing"):
        needed.skip_without(feature)
