"""Text that is added to a pipe or file, at the pace of its reader."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ebprof.errors import BadFileError, reason_of
from ebprof.screen.outlet import Outlet


class Stream:
    """Reports as they are asked for. While the reader has not taken the last one there is no new
    one: the next covers a longer interval, so that nothing is left out and nothing piles up.
    """

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self._is_ended = False

    @property
    def is_waiting(self) -> bool:
        """Whether the last report is not yet written."""
        return self.outlet.is_pending

    @property
    def is_over(self) -> bool:
        """Whether nobody wants more."""
        return self._is_ended

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events."""
        return [(self.outlet.fd, self.outlet.events)]

    def react(self) -> None:
        """Write on. Where nothing waits to be written, poll told that the reader is gone."""
        if self.outlet.is_pending:
            self.send("")
        else:
            self._is_ended = True

    def finish(self) -> None:
        """Write all, however long the reader takes."""
        with contextlib.suppress(BrokenPipeError), _naming_stdout():
            self.outlet.flush(None)

    def send(self, text: str) -> None:
        """A reader that has gone away has seen enough: it ends the run, and is no error.

        Raises BadFileError where stdout takes no more for another reason.
        """
        try:
            with _naming_stdout():
                self.outlet.send(text.encode("utf-8", "replace"))
        except BrokenPipeError:
            self.outlet.drop()
            self._is_ended = True


@contextlib.contextmanager
def _naming_stdout() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = reason_of(error)
        raise BadFileError(f"cannot write stdout: {reason}") from None
