"""`ebprof report`: a saved profile in another format."""

from __future__ import annotations

import sys

import click

from ebprof.commands import _complete
from ebprof.commands._output_options import format_option, output_option
from ebprof.output import check_writable, choose, names, read_profile, write_file


@click.command()
@click.argument("file", shell_complete=_complete.files)
@format_option(names, "docs/formats.md")
@output_option
def command(file: str, format_name: str | None, path: str | None) -> None:
    """Turn a saved profile (pprof or folded) into any format.

    \b
    ebprof report cpu.pb.gz                    the table of hottest functions
    ebprof report cpu.pb.gz -o flame.html
    ebprof report stacks.folded -f pprof -o cpu.pb.gz
    ebprof report cpu.pb.gz@30s-60s            a window of a recording in slices
    """
    output = choose(format_name, path, sys.stdout.isatty())
    check_writable(path)
    write_file(read_profile(file), output, path)
