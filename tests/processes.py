"""`pytest --processes 4`: runs tests in so many processes, forked once all tests are known.

To import and to collect all tests takes longer than most of them: it is done once. A process asks
for a group of tests (`tests/side_by_side.py`) when it begins the last one that it has, and tells
what came of each. What ends a process is a failure of the test that it ran, and another process
goes on. This is a plug-in of pytest.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, NoReturn

import pytest

from tests.side_by_side import group_of

Numbers = deque[int]
"""Of tests, as they were collected."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how many."""
    parser.addoption("--processes", type=int, default=0, help="run tests in so many processes")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Take the place of pytest's own loop, where this is asked for."""
    config = session.config
    count = config.getoption("processes")
    if not count or config.option.collectonly or session.testsfailed:
        return None
    gc.freeze()  # what is never looked at is never copied
    _Parent(session, _groups(session.items)).run(count)
    return True


def _groups(items: Iterable[pytest.Item]) -> deque[Numbers]:
    """Those that stay together, in the order of their first."""
    groups: dict[str, Numbers] = {}
    for number, item in enumerate(items):
        groups.setdefault(group_of(item.nodeid), deque()).append(number)
    return deque(groups.values())


class _Process:
    """One that runs tests: our end of a pipe, and the tests that it was given and has not run."""

    def __init__(self, session: pytest.Session, others: Iterable[_Process]) -> None:
        self.left: Numbers = deque()
        self.connection, theirs = Pipe()
        self._pid = os.fork()
        if not self._pid:
            for one in [self, *others]:
                one.connection.close()
            _Child(session, theirs).run()
        theirs.close()

    def give(self, group: Numbers) -> None:
        """Have it run these tests next; none: have it end."""
        self.left.extend(group)
        self.connection.send(tuple(group))

    def end(self) -> int:
        """Its exit code, once it has ended."""
        self.connection.close()
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


class _Parent:
    """Hands out groups, and has pytest's plug-ins know what comes of them."""

    def __init__(self, session: pytest.Session, groups: deque[Numbers]) -> None:
        self._session = session
        self._hook = session.config.hook
        self._terminal: Any = session.config.pluginmanager.getplugin("terminalreporter")
        self._terminal.showfspath = False  # files are run side by side
        self._groups = groups
        self._processes: dict[Any, _Process] = {}

    def run(self, count: int) -> None:
        """Until all groups are done; raises what ends a session."""
        for _ in range(min(count, len(self._groups))):
            self._begin()
        while self._processes:
            for connection in wait([*self._processes]):
                self._listen(self._processes[connection])
                if self._session.shouldfail or self._session.shouldstop:
                    self._groups.clear()
        if reason := self._session.shouldfail:
            raise self._session.Failed(reason)
        if reason := self._session.shouldstop:
            raise self._session.Interrupted(reason)

    def _begin(self) -> None:
        process = _Process(self._session, self._processes.values())
        self._processes[process.connection] = process

    def _listen(self, process: _Process) -> None:
        try:
            what, values = process.connection.recv()
        except (EOFError, ConnectionResetError):
            self._end(process)
        else:
            tell: Callable[..., None] = getattr(self, f"_{what}")
            tell(process, **values)

    def _next(self, process: _Process) -> None:
        process.give(self._groups.popleft() if self._groups else deque())

    def _start(self, process: _Process, **values: Any) -> None:
        self._hook.pytest_runtest_logstart(**values)

    def _report(self, process: _Process, data: dict[str, Any]) -> None:
        config = self._session.config
        report = self._hook.pytest_report_from_serializable(config=config, data=data)
        self._hook.pytest_runtest_logreport(report=report)

    def _finish(self, process: _Process, **values: Any) -> None:
        process.left.popleft()
        self._hook.pytest_runtest_logfinish(**values)

    def _warning(self, process: _Process, **values: Any) -> None:
        self._terminal.pytest_warning_recorded(**values)

    def _stop(self, process: _Process) -> None:
        process.left.clear()

    def _end(self, process: _Process) -> None:
        """It has run all tests, or one of them has ended it: that one fails, others follow."""
        del self._processes[process.connection]
        code = process.end()
        if not process.left:
            return
        item = self._session.items[process.left.popleft()]
        said = f"the process that ran it has ended with {code}"
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call")
        self._hook.pytest_runtest_logreport(report=report)
        if process.left:
            self._groups.appendleft(process.left)
        if self._groups:
            self._begin()


class _Child:
    """Runs tests in a process of their own, and is the plug-in that tells the parent."""

    def __init__(self, session: pytest.Session, connection: Connection) -> None:
        self._session = session
        self._connection = connection

    def run(self) -> NoReturn:
        """Run what the parent gives, and end the process."""
        session: Any = self._session
        capture = session.config.pluginmanager.getplugin("capturemanager")
        try:
            self._settle(capture)
            try:
                self._run_all()
            finally:
                session._setupstate.teardown_exact(None)  # where not all was run
        except BaseException:
            capture.stop_global_capturing()
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _settle(self, capture: Any) -> None:
        """Have files of our own, and leave it to the parent to tell people."""
        config: Any = self._session.config
        plugins = config.pluginmanager
        plugins.unregister(name="terminalreporter")
        capture.stop_global_capturing()
        capture.start_global_capturing()
        directories = config._tmp_path_factory
        directories._basetemp = directories.mktemp("process")
        plugins.register(self)

    def _run_all(self) -> None:
        following = self._numbers()
        number = next(following, None)
        while number is not None and not (self._session.shouldfail or self._session.shouldstop):
            number = self._run(number, following)
        self._tell("stop")

    def _run(self, number: int, following: Iterator[int]) -> int | None:
        """Run a test; returns the next, whose fixtures need not be made anew."""
        items, after = self._session.items, next(following, None)
        item, nextitem = items[number], None if after is None else items[after]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return after

    def _numbers(self) -> Iterator[int]:
        while True:
            self._tell("next")
            group = self._connection.recv()
            if not group:
                return
            yield from group

    def _tell(self, what: str, **values: Any) -> None:
        self._connection.send((what, values))

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Pass it on."""
        self._tell("start", nodeid=nodeid, location=location)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pass it on."""
        config = self._session.config
        data = config.hook.pytest_report_to_serializable(config=config, report=report)
        self._tell("report", data=data)

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Pass it on."""
        self._tell("finish", nodeid=nodeid, location=location)

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Pass it on."""
        warning_message.source = None  # an object of ours
        self._tell("warning", warning_message=warning_message, nodeid=nodeid)
