"""Profiles in files: read whatever format, write without leaving halves behind."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ebprof import plugins
from ebprof.errors import BadFileError
from ebprof.model import Profile
from ebprof.output import _window
from ebprof.output._choose import names, package
from ebprof.output._protocol import OutputFormat, ReadableFormat
from ebprof.output._read import MAX_BYTES
from ebprof.walls import refusing

_HEAD = 4096
_NAME_LENGTH = 64  # of a temporary file: NAME_MAX is 255, in bytes
_READABLE = "profiles are read from pprof files and folded stacks"
# Opening one of these anew would truncate, or start at the front of, what a shell redirected.
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")


def read_profile(path: str) -> Profile:
    """Read a profile, `-` for stdin, in the format that its first bytes show.

    `FILE@START-STOP` is a window of time of one whose samples have times. Raises BadFileError, with
    the path, when it cannot be opened or understood, UsageError when there is no such window.
    """
    return read_profiles(path)[0]


def read_profiles(*paths: str) -> list[Profile]:
    """The same for several, each file read once, however many windows of it are asked for."""
    whole: dict[str, Profile] = {}
    profiles: list[Profile] = []
    for path in paths:
        file, window = _window.split(path)
        if file not in whole:
            whole[file] = _read(file)
        profiles.append(_window.select(whole[file], window, file) if window else whole[file])
    return profiles


def _read(path: str) -> Profile:
    try:
        with _open_to_read(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadFileError(f"cannot read {path}: {_reason(error)}") from None
    try:
        with refusing():
            return _reader(data[:_HEAD]).read(io.BytesIO(data))
    except BadFileError as error:
        raise BadFileError(f"{path}: {error.message}", error.hint or _READABLE) from None


def write_file(profile: Profile, output: OutputFormat, path: str | None) -> None:
    """Write a profile in a format to a path, as `write_to` does."""

    def write(file: BinaryIO) -> None:
        with plugins.blaming(output, "write its format"):
            output.write(profile, file)

    write_to(path, write)


def write_to(path: str | None, write: Callable[[BinaryIO], object]) -> None:
    """Have `write` write to a path; None and `-` are stdout.

    A regular file is replaced at once when all is written, with the mode and owner it had. What
    else a path may name (a symbolic link, a FIFO, a device, an open file by /dev/fd) is written
    in place. Raises BadFileError; BrokenPipeError when a reader has gone, as pipes do.
    """
    try:
        with _open_to_write(path) as file:
            write(file)
            file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "stdout" if path in (None, "-") else path
        raise BadFileError(f"cannot write {name}: {_reason(error)}") from None


def check_writable(path: str | None) -> None:
    """Raise BadFileError now if `write_file` could not write there later. Changes nothing."""
    if path is None or path == "-" or _descriptor(path) is not None:
        return
    target = Path(path)
    try:
        if target.is_dir():
            raise BadFileError(f"cannot write {path}: it is a directory")
        if not target.parent.is_dir():
            raise BadFileError(f"cannot write {path}: there is no directory {target.parent}")
        in_place = _is_written_in_place(path) and target.exists()
    except OSError as error:
        raise BadFileError(f"cannot write {path}: {_reason(error)}") from None
    needed = path if in_place else str(target.parent)
    if not os.access(needed, os.W_OK, effective_ids=True):
        raise BadFileError(f"cannot write {path}: {needed} is not writable")


def _reader(head: bytes) -> ReadableFormat:
    for name in names():
        found = plugins.load(package(), name, OutputFormat)
        if isinstance(found, ReadableFormat) and found.recognizes(head):
            return found
    raise BadFileError("not a profile", _READABLE)


def _open_to_read(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
    return contextlib.nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb")


def _open_to_write(path: str | None) -> contextlib.AbstractContextManager[BinaryIO]:
    if path is None or path == "-":
        return contextlib.nullcontext(sys.stdout.buffer)
    descriptor = _descriptor(path)
    if descriptor is not None:
        return os.fdopen(os.dup(descriptor), "wb")
    if _is_written_in_place(path):
        return Path(path).open("wb")
    return _replacing(Path(path))


def _descriptor(path: str) -> int | None:
    """The number of an open file of this process that a path stands for."""
    match = _DESCRIPTOR.fullmatch(path)
    return int(match[1]) if match else _STANDARD.get(path)


def _is_written_in_place(path: str) -> bool:
    """A link is followed by open(), whose checks (protected_symlinks) rename() would go round."""
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file beside `path` that takes its place at the end, or is removed on an error."""
    descriptor, temporary = tempfile.mkstemp(
        prefix=f".{path.name[:_NAME_LENGTH]}.", dir=path.parent
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            _take_over(path, file.fileno())
            yield file
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _take_over(path: Path, descriptor: int) -> None:
    """Give a new file the mode and owner of the old one, or those of any new file."""
    try:
        old = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o666 & ~_umask())
        return
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _umask() -> int:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
