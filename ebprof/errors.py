"""The one base error; `cli` alone turns it into a line on stderr and an exit code."""

from __future__ import annotations

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NO_TARGET = 3
EXIT_NO_PERMISSION = 4
EXIT_UNSUPPORTED = 5
EXIT_BAD_FILE = 6
EXIT_REGRESSION = 7
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127


class EbprofError(Exception):
    """What happened, to which value (message), and what to do about it (hint)."""

    exit_code = EXIT_FAILURE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def reason_of(error: Exception) -> str:
    """Why something failed, as the system says it, in lower case; never empty."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).lower()


class UsageError(EbprofError):
    """The words of the command line do not fit together."""

    exit_code = EXIT_USAGE


class NoTargetError(EbprofError):
    """No such process, thread, cgroup or CPU."""

    exit_code = EXIT_NO_TARGET


class NoPermissionError(EbprofError):
    """The kernel refuses what was asked for."""

    exit_code = EXIT_NO_PERMISSION


class UnsupportedError(EbprofError):
    """This kernel or machine lacks a feature that is needed."""

    exit_code = EXIT_UNSUPPORTED


class BadFileError(EbprofError):
    """A file cannot be read, written or understood."""

    exit_code = EXIT_BAD_FILE


class RegressionError(EbprofError):
    """A profile shows what its reader asked to be warned of; the comparison itself succeeded."""

    exit_code = EXIT_REGRESSION


class CommandError(EbprofError):
    """The command to profile cannot be started; exit codes are those of a shell."""

    def __init__(self, message: str, hint: str = "", *, exit_code: int = EXIT_NOT_FOUND) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
