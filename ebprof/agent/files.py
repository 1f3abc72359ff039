"""Object files that people name, sent to a collector as an agent sends those that it meets."""

from __future__ import annotations

import http.client
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from io import FileIO
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from ebprof.agent.kinds import NO_SERVICE, REFUSED
from ebprof.agent.objects import Offering, offering_of
from ebprof.agent.sender import Answer, packed
from ebprof.agent.streams import Stream, describe
from ebprof.elf import MAGIC, ElfImage, open_regular
from ebprof.errors import BadFileError, EbprofError, NoPermissionError, reason_of
from ebprof.procfs.text import printable
from ebprof.remote import json_object
from ebprof.symbolize.ids import is_hash, object_id
from ebprof.symbolize.quality import contents_of
from ebprof.symbolize.received import has_code, is_debug_file
from ebprof.wire import symbols as wire
from ebprof.wire.symbols import Verdict

PATIENCE_S = 90.0
"""How long a collector may not answer, or not take a file, before that is given up: longer than the
turn of another sender.
"""
WAIT_S = 2.0
_LONGEST = 300
_HINT = "is it a collector that runs?"

Call = Callable[[str, bytes], Answer]
"""Posts a message that is packed by gzip to a path; raises OSError or HTTPException."""


class Result(Enum):
    """What became of a file."""

    SENT = "uploaded"
    KNOWN = "already there"
    REFUSED = "refused"
    LATER = "not taken now"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file, and what became of it. contents: what symbols it has. size: bytes that were sent.

    reason: why it was not taken. notes: what of it is not read.
    """

    path: Path
    result: Result
    identity: str = ""
    contents: tuple[str, ...] = ()
    size: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()


class _RefusedError(Exception):
    """The collector does not want a file, and says why."""


class FileSender:
    """Sends files, one at a time. where: the collector, for people."""

    def __init__(
        self,
        call: Call,
        where: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._call = call
        self._where = where
        self._clock = clock
        self._sleep = sleep
        self._has_answered = False

    def send(self, path: Path) -> Outcome:
        """Send a file if it is wanted; raises EbprofError where the collector cannot be used."""
        try:
            file = open_regular(str(path))
        except OSError as error:
            return Outcome(path, Result.REFUSED, reason=reason_of(error))
        except BadFileError as error:
            return Outcome(path, Result.REFUSED, reason=error.message)
        with file:
            try:
                return self._send_open(path, file)
            except BadFileError as error:
                return Outcome(path, Result.REFUSED, reason=error.message)

    def _send_open(self, path: Path, file: FileIO) -> Outcome:
        image = ElfImage(file)
        identity, is_debug = object_id(image), is_debug_file(image)
        _check(image, identity, is_debug=is_debug)
        offering = offering_of(identity, str(path), image, file, is_debug=is_debug)
        try:
            result, size = self._offer(offering)
            reason = "another one sends it, or there is no room" if result == Result.LATER else ""
        except _RefusedError as error:
            result, size, reason = Result.REFUSED, 0, str(error)
        contents, notes = contents_of(image), tuple(_notes(image))
        return Outcome(path, result, identity, contents, size, reason, notes)

    def _offer(self, offering: Offering) -> tuple[Result, int]:
        """Send a file if it is wanted, from where an earlier attempt ended."""
        stream = Stream(offering)
        # The same of the same bytes, whoever sends them: what was interrupted goes on.
        sender = f"push-{stream.checksum().hex()[:40]}"
        end = self._clock() + PATIENCE_S
        sent = 0
        while True:
            request = wire.WantRequest(sender=sender)
            describe(request.offers.add(), offering)
            answer = self._post(wire.WANT_PATH, request)
            (decision,) = _parsed(wire.WantResponse, answer).decisions
            if decision.verdict == Verdict.KNOWN:
                return (Result.SENT if sent else Result.KNOWN), sent
            if decision.verdict == Verdict.NEVER:
                raise _RefusedError(
                    f"it is too large ({offering.excerpt.length >> 20} MiB), or its ID is none"
                )
            if decision.verdict == Verdict.WANTED:
                stream.seek(decision.offset)
                before = sent
                is_kept, sent = self._send_rest(stream, sender, sent)
                if is_kept:
                    return Result.SENT, sent
                end = self._clock() + PATIENCE_S if sent > before else end
            if self._clock() >= end:
                return Result.LATER, sent
            self._sleep(WAIT_S)

    def _send_rest(self, stream: Stream, sender: str, sent: int) -> tuple[bool, int]:
        """Whether the collector keeps the file now, and how much was sent by now."""
        while stream.left:
            request = stream.next_part(sender)
            response = _parsed(wire.UploadResponse, self._post(wire.UPLOAD_PATH, request))
            sent += len(request.data)
            if response.is_kept:
                return True, sent
            if response.offset != stream.position:
                break
        return False, sent

    def _post(self, path: str, message: Any) -> Answer:
        """The answer to a message, tried again while that may help.

        Raises _RefusedError, EbprofError.
        """
        body = packed(message)
        end = self._clock() + PATIENCE_S
        while True:
            wait_s = WAIT_S
            try:
                answer = self._call(path, body)
            except (OSError, http.client.HTTPException) as error:
                problem = f"no answer from {self._where}: {reason_of(error)}"
                if not self._has_answered:
                    raise EbprofError(problem, _HINT) from None
            else:
                self._has_answered = True
                if answer.status == 200:
                    return answer
                problem = self._problem(answer)
                if answer.retry_after.isdigit():
                    wait_s = min(PATIENCE_S, float(answer.retry_after[:4]))
            if self._clock() + wait_s >= end:
                raise EbprofError(problem, _HINT)
            self._sleep(wait_s)

    def _problem(self, answer: Answer) -> str:
        """Why an answer is none, where another attempt may have one; raises for others."""
        said = _said(answer)
        if answer.status in REFUSED:
            raise _RefusedError(said or f"the collector answers {answer.status}")
        if answer.status in (401, 403):
            hint = "give --token-file, with a token that may push"
            raise NoPermissionError(f"{self._where} answers {answer.status}: {said}", hint)
        if answer.status in NO_SERVICE:
            raise EbprofError(f"{self._where} takes no object files", "is it ebprof's collector?")
        return f"{self._where} answers {answer.status}" + (f": {said}" if said else "")


def files_below(directory: Path) -> Iterator[Path]:
    """ELF files below a directory, in order; links are left out, and so is what cannot be read."""
    for path in sorted(directory.rglob("*")):
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                continue
            with path.open("rb") as file:
                is_elf = file.read(len(MAGIC)) == MAGIC
        except OSError:
            continue
        if is_elf:
            yield path


def _check(image: ElfImage, identity: str, *, is_debug: bool) -> None:
    """Raise BadFileError for what no collector can use."""
    if not has_code(image):
        raise BadFileError(
            "it is no program or library, nor the debug file of one (what dwz makes for several "
            "is not read)"
        )
    if is_debug and is_hash(identity):
        raise BadFileError("a debug file without a build ID: link with -Wl,--build-id")


def _notes(image: ElfImage) -> Iterator[str]:
    """What of a file is not read."""
    if image.section(".gnu_debugaltlink"):
        yield "names that dwz moved to another file are not read"
    if not image.section(".debug_info") and image.section(".gnu_debuglink"):
        yield "its debug information is in another file: push that as well"


def _parsed(kind: Any, answer: Answer) -> Any:
    try:
        return kind.FromString(answer.body)
    except DecodeError:
        raise EbprofError("the collector's answer cannot be read", "is it ebprof's?") from None


def _said(answer: Answer) -> str:
    """The reason in an answer, as Connect and our API have it; empty where it has none."""
    found = json_object(answer.body)
    return printable(str(found.get("message") or found.get("error") or "")[:_LONGEST])
