"""Why a push is refused: what its sender is told, and what is counted."""

from __future__ import annotations

from ebprof.errors import EbprofError


class RefusedError(EbprofError):
    """A push that is not taken.

    status: of HTTP. code: Connect's (connectrpc.com/docs/protocol). reason: in our metrics.
    retry_after_s: when it may be sent again; None where that would not help.
    """

    status = 400
    code = "invalid_argument"
    reason = "malformed"
    retry_after_s: int | None = None


class TooLargeError(RefusedError):
    """More than one push may hold."""

    status = 413
    code = "resource_exhausted"
    reason = "too_large"


class TimeError(RefusedError):
    """A profile of a time that is too far away."""

    code = "out_of_range"
    reason = "time"


class MediaError(RefusedError):
    """A form that is not understood."""

    status = 415
    code = "unimplemented"
    reason = "media"


class FullError(RefusedError):
    """There is no room in the log until the store has caught up."""

    status = 429
    code = "resource_exhausted"
    reason = "log_full"
    retry_after_s = 10


class BrokenError(RefusedError):
    """The log cannot be written any more."""

    status = 503
    code = "unavailable"
    reason = "log_broken"
    retry_after_s = 30
