"""What a file is that is no profile we read: for the message that says so."""

from __future__ import annotations

import re

from ebprof.errors import BadFileError

READABLE = "profiles are read from pprof files and folded stacks"

_HEAD = 64 << 10
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\x1b"))
_KINDS = (
    (rb"\x1f\x8b", "gzip in gzip: unpack it once"),
    (rb"\x28\xb5\x2f\xfd", "packed by zstd: unpack it with zstd -d"),
    (rb"\xfd7zXZ\0", "packed by xz: unpack it with xz -d"),
    (rb"BZh[1-9]", "packed by bzip2: unpack it with bzip2 -d"),
    (rb"\x04\x22\x4d\x18", "packed by lz4: unpack it with lz4 -d"),
    (rb"PK\x03\x04", "a zip archive: unpack it"),
    (rb"\x7fELF", "an ELF file"),
    (rb"PERFILE2", "perf's perf.data: run `perf script | stackcollapse-perf.pl`"),
    (rb"FLR\0", "a JFR recording: convert it to collapsed stacks"),
    (rb"\s*<(?:!doctype\s+html|html|head|body)\b", "HTML, not the profile that it shows"),
    (rb"\s*<(?:\?xml|svg|!--|!doctype)", "XML or SVG, not the profile that it shows"),
    (rb"(?s)\s*\{.*\"(?:\$schema|exporter)\"[^}]*speedscope", "JSON for speedscope"),
    (rb"\s*\{\"format\":\s*\"ebprof ", "JSON that ebprof wrote: keep profiles as pprof"),
    (rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"])", "JSON"),
    (
        rb"(?:heap|goroutine|threadcreate|mutex|block) profile:|--- (?:mutex|contention)",
        "pprof's text for people: fetch it without debug=1",
    ),
    (
        rb"(?m)(?s:.{0,4096}?)^\S.{0,64}\s-?[0-9]+(?:/-?[0-9]+)?\s+"
        rb"(?:\[[0-9]+\]\s+)?[0-9]+\.[0-9]+:\s",
        "what `perf script` prints: pipe it through stackcollapse-perf.pl",
    ),
    (
        rb"(?m)(?s:.{0,4096}?)^@\w*\[\s*$",
        "what bpftrace prints: pipe it through stackcollapse-bpftrace.pl",
    ),
    (
        rb"(?m)\s*^[ \t]+\S+`\S+[ \t]*\r?\n[ \t]+\S+`",
        "what DTrace prints: pipe it through stackcollapse.pl",
    ),
)


def refusal(data: bytes) -> BadFileError:
    """The error for bytes that no format recognizes; it says what they seem to be."""
    head = data[:_HEAD]
    if kind := _kind(head):
        return BadFileError("not a profile", f"it is {kind}; {READABLE}")
    if head.translate(None, _CONTROLS) != head or not head.strip():
        return BadFileError("not a profile", READABLE)
    return BadFileError(_first_line(head), READABLE)


def is_known(data: bytes) -> bool:
    """Whether bytes are something else, although some lines may look like stacks."""
    return bool(_kind(data[:_HEAD]))


def _kind(head: bytes) -> str:
    matching = (kind for pattern, kind in _KINDS if re.match(pattern, head, re.IGNORECASE))
    return next(matching, "")


def _first_line(head: bytes) -> str:
    lines = enumerate(head.splitlines(), 1)
    number = next(number for number, line in lines if line.strip())
    return f"line {number} is no folded stack: it does not end in a count"
