"""Features of the kernel that tests cannot do without.

Where whole rows of tests need one, the marker `needs` says so: without the feature they are left
out, and the report has one line for all of them. A single test is skipped. This is a plug-in of
pytest as well, which does so. With `--collect-only` nothing is looked for.

Processes that run tests side by side (pytest-xdist) look for each feature once together.

    pytest.mark.needs("traffic_fentry", features.OK, features.LIMITED)
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from ebprof import features
from ebprof.features import Feature
from tests import slow, targets

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

MARKER = "needs"
SHARED = "features"
NOT_RUN = "not_run"
"""Property of a report in XML: how many tests were left out."""
_left_out: Counter[str] = Counter()
_found = pytest.StashKey[TemporaryDirectory[str]]()
_directory: Path | None = None
"""Where processes keep what they found for each other."""


@cache
def found(name: str) -> Feature:
    """A feature, looked for once for all tests of this run."""
    if _directory is None:
        return features.probe(name)
    with targets.locked(_directory / name):
        kept = _directory / name / "found"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(features.probe(name)))
        feature: Feature = pickle.loads(kept.read_bytes())
        return feature


def missing(name: str, *states: str) -> str:
    """Why a feature is in none of these states (none given: not all there); empty when it is."""
    feature = found(name)
    if feature.state in (states or (features.OK,)):
        return ""
    return f"{feature.name}: {feature.detail}"


def skip_without(name: str, *states: str) -> None:
    """Skip the test unless a feature is in one of these states; none: unless it is all there."""
    reason = missing(name, *states)
    if reason:
        pytest.skip(reason)


def pytest_configure(config: pytest.Config) -> None:
    """Learn where the others keep what they find."""
    global _directory
    given = getattr(config, "workerinput", {})
    if SHARED in given:
        _directory = Path(given[SHARED])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tell a process of pytest-xdist."""
    directory = node.config.stash.setdefault(_found, TemporaryDirectory(prefix="found-"))
    node.workerinput[SHARED] = directory.name


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need what is not there."""
    left_out = {item: reason for item in items if (reason := _reason(item))}
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=[*left_out])
        _left_out.update(left_out.values())


def _reason(item: pytest.Item) -> str:
    if not slow.IS_SLOW and item.get_closest_marker(slow.only.name):
        return "make slow"
    if item.config.option.collectonly:
        return ""
    needs = (missing(*mark.args) for mark in item.iter_markers(MARKER))
    return next(filter(None, needs), "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many there are, and what they need."""
    if _left_out:
        terminalreporter.section("not run here")
    for reason, count in sorted(_left_out.items()):
        terminalreporter.line(f"{count} tests need {reason}")


@pytest.fixture(scope="session", autouse=True)
def _write_number(record_testsuite_property: Callable[[str, object], None]) -> None:
    """Have a report in XML say how many there are."""
    record_testsuite_property(NOT_RUN, _left_out.total())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this one (pytest-xdist)."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[NOT_RUN] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Learn it from a process, each of which leaves out the same tests."""
    for reason, count in getattr(node, "workeroutput", {}).get(NOT_RUN, {}).items():
        _left_out[reason] = count
