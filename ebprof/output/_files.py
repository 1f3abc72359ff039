"""Profiles in files: read whatever format, write without leaving halves behind."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ebprof import plugins, remote
from ebprof.errors import BadFileError, reason_of
from ebprof.model import Profile
from ebprof.output import _folded_decode, _foreign, _types, _window
from ebprof.output._choose import package
from ebprof.output._foreign import READABLE
from ebprof.output._protocol import OutputFormat, ReadableFormat
from ebprof.output._read import read_whole
from ebprof.remote import Access
from ebprof.walls import refusing

_NAME_LENGTH = 64  # of a temporary file: NAME_MAX is 255, in bytes
# Opening one of these anew would truncate, or start at the front of, what a shell redirected.
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Reading:
    """How saved profiles are read.

    sample_type: name or index of the values to show; None for the profile's default. no_comm:
    folded stacks begin with a frame, not with a process's name; other formats know better. strict:
    refuse files of which something cannot be read. access: to collectors, of whose queries URLs are
    read.
    """

    sample_type: str | None = None
    no_comm: bool = False
    strict: bool = False
    access: Access = field(default_factory=Access)


def read_profile(path: str, how: Reading = Reading()) -> Profile:
    """Read a profile, `-` for stdin or a collector's URL, in the format that its content shows.

    `FILE@START-STOP` is a window of time of one whose samples have times. Raises BadFileError, with
    the path, when it cannot be opened or understood, or has no samples; UsageError when there is no
    such window or sample type.
    """
    (profile,) = read_profiles(path, how=how)
    if not profile.samples:
        raise BadFileError(
            f"{_name(path)} has no samples", "it is empty, or nothing ran while it was recorded"
        )
    return profile


def read_profiles(*paths: str, how: Reading = Reading()) -> list[Profile]:
    """The same for several, each file read once, however many windows of it are asked for.

    They may be without samples.
    """
    whole: dict[str, Profile] = {}
    profiles: list[Profile] = []
    for path in paths:
        file, window = (path, None) if remote.is_url(path) else _window.split(path)
        if file not in whole:
            whole[file] = _as_wanted(_read(file, how.access), how, _name(file))
        profiles.append(_window.select(whole[file], window, file) if window else whole[file])
    return profiles


def _read(path: str, access: Access) -> Profile:
    fetched = remote.fetch(path, access) if remote.is_url(path) else None
    try:
        with _open_to_read(path) if fetched is None else io.BytesIO(fetched) as file:
            data = read_whole(file)
        with refusing():
            profile = _parse(data)
    except OSError as error:
        raise BadFileError(f"cannot read {path}: {reason_of(error)}") from None
    except BadFileError as error:
        raise BadFileError(f"{_name(path)}: {error.message}", error.hint or READABLE) from None
    warnings = tuple(f"{_name(path)}: {warning}" for warning in profile.warnings)
    return replace(profile, warnings=warnings)


def _parse(data: bytes) -> Profile:
    if not data.strip():  # the folded stacks of a profile without samples
        return Profile()
    return _reader(data).read(io.BytesIO(data))


def _as_wanted(profile: Profile, how: Reading, name: str) -> Profile:
    if how.strict and profile.warnings:
        raise BadFileError(profile.warnings[0], "leave out --strict to read the rest")
    if how.no_comm and _types.is_bare(profile):
        profile = _folded_decode.without_comms(profile)
    if how.sample_type is not None:
        profile = _types.select(profile, how.sample_type, name)
    return profile


def write_file(profile: Profile, output: OutputFormat, path: str | None) -> None:
    """Write a profile in a format to a path, as `write_to` does."""

    keeps_types = getattr(output, "KEEPS_TYPES", False)
    written = profile if keeps_types else _types.without_others(profile)

    def write(file: BinaryIO) -> None:
        with plugins.blaming(output, "write its format"):
            output.write(written, file)

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
        raise BadFileError(f"cannot write {name}: {reason_of(error)}") from None


def check_writable(path: str | None) -> None:
    """Raise BadFileError now if `write_file` could not write there later. Changes nothing."""
    descriptor = 1 if path in (None, "-") else _descriptor(path or "")
    if descriptor is not None:
        _check_open(path, descriptor)
    if path is None or descriptor is not None:
        return
    target = Path(path)
    try:
        if target.is_dir():
            raise BadFileError(f"cannot write {path}: it is a directory")
        if not target.parent.is_dir():
            raise BadFileError(f"cannot write {path}: there is no directory {target.parent}")
        in_place = _is_written_in_place(path) and target.exists()
    except OSError as error:
        raise BadFileError(f"cannot write {path}: {reason_of(error)}") from None
    needed = path if in_place else str(target.parent)
    if not os.access(needed, os.W_OK, effective_ids=True):
        raise BadFileError(f"cannot write {path}: {needed} is not writable")


def _check_open(path: str | None, descriptor: int) -> None:
    name = "stdout" if path in (None, "-") else path
    try:
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        mode = os.O_RDONLY
    if mode == os.O_RDONLY:
        raise BadFileError(f"cannot write {name}: it is closed")


def _reader(data: bytes) -> ReadableFormat:
    for found in plugins.each(package(), OutputFormat):
        if isinstance(found, ReadableFormat) and found.recognizes(data):
            return found
    raise _foreign.refusal(data)


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


def _name(path: str) -> str:
    return "stdin" if path == "-" else path
