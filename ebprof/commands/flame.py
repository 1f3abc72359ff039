"""`ebprof flame`: a flame graph, of a new recording or of a saved profile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ebprof.commands import _complete
from ebprof.commands._input_options import reading_options, say_nameless, warn
from ebprof.commands._options import RecordingCommand, recording_options
from ebprof.commands._output_options import look_options
from ebprof.errors import UsageError
from ebprof.output import (
    Look,
    Reading,
    as_seen,
    check_writable,
    choose,
    read_profile,
    styled,
    write_file,
)
from ebprof.procfs.text import decoded
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.target import Target

DEFAULT_PATH = "flame.html"


@click.command(cls=RecordingCommand)
@click.argument("saved", required=False, metavar="[FILE]", shell_complete=_complete.files)
@recording_options
@reading_options
@look_options
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    default=DEFAULT_PATH,
    show_default=True,
    shell_complete=_complete.files,
    help="x.html to click in, x.svg to embed.",
)
def command(
    target: Target,
    options: RecordOptions,
    saved: str | None,
    path: str,
    how: Reading,
    look: Look,
    **rest: Any,
) -> int:
    """Draw a flame graph of what runs, or of a saved profile (FILE).

    \b
    ebprof flame -p 1234 -d 10                 writes flame.html
    ebprof flame -o x.svg -- ./server          a command, as SVG
    ebprof flame -o x.html cpu.pb.gz           a profile saved earlier (pprof or folded)
    ebprof flame -o x.html 'http://HOST:8080/api/v1/profiles/flamegraph?type=cpu'
    """
    output = styled(choose(None if Path(path).suffix else "flamegraph", path, False), look)
    if saved is None:
        if how != Reading():
            raise UsageError(
                "--sample-type, --no-comm and --strict are for saved profiles", "name a file or URL"
            )
        from ebprof.commands._record import Destination, record

        return record(target, options, Destination(output, path, look=look, **rest))
    if target != Target():
        raise UsageError("a saved profile and a target exclude each other", "choose one")
    check_writable(path)
    profile = read_profile(saved, how)
    warn(profile)
    write_file(as_seen(profile, output, look), output, path)
    if not rest["quiet"]:
        say_nameless(profile)
        print(f"ebprof: wrote {decoded(path)}", file=sys.stderr)
    return 0
