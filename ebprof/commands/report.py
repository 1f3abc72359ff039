"""`ebprof report`: a saved profile in another format."""

from __future__ import annotations

import sys

import click

from ebprof.commands import _complete
from ebprof.commands._input_options import reading_options, say_nameless, warn
from ebprof.commands._output_options import format_option, look_options, output_option
from ebprof.output import (
    Look,
    Reading,
    as_seen,
    check_writable,
    choose,
    names,
    proposal,
    read_profile,
    styled,
    write_file,
)


@click.command()
@click.argument("file", shell_complete=_complete.files)
@look_options
@format_option(names, "docs/formats.md")
@output_option
@reading_options
def command(file: str, look: Look, format_name: str | None, path: str | None, how: Reading) -> None:
    """Turn a saved profile (pprof or folded) into any format.

    \b
    ebprof report cpu.pb.gz                    the table of hottest functions
    ebprof report cpu.pb.gz --by process       which process, and how many cores of CPU time
    ebprof report cpu.pb.gz --width 200 --full-names
    ebprof report cpu.pb.gz -o flame.html
    ebprof report stacks.folded -f pprof -o cpu.pb.gz
    ebprof report sliced.pb.gz                 load over time first, and windows to compare
    ebprof report cpu.pb.gz@30s-60s            a window of a recording in slices
    ebprof report heap.pb.gz --sample-type alloc_space
    ebprof report 'http://HOST:8080/api/v1/profiles/flamegraph?type=cpu&from=now-5m'
    """
    output = styled(choose(format_name, path, sys.stdout.isatty()), look)
    check_writable(path)
    profile = read_profile(file, how)
    warn(profile)
    write_file(as_seen(profile, output, look), output, path)
    if getattr(output, "IS_FOR_PEOPLE", False):
        say_nameless(profile)
        hint = proposal(profile, file)
        if hint:
            print(f"ebprof: {hint}", file=sys.stderr)
