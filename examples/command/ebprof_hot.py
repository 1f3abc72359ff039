"""`ebprof hot FILE`: the functions with most samples of their own, one a line."""

from __future__ import annotations

from collections import Counter

import click

from ebprof.output import read_profile
from ebprof.procfs.text import printable


@click.command()
@click.argument("path", metavar="FILE")
@click.option("-n", "--lines", default=3, show_default=True, help="How many to show.")
def command(path: str, lines: int) -> int:
    """Show the hottest functions of a saved profile.

    \b
    ebprof hot cpu.pb.gz
    """
    samples: Counter[str] = Counter()
    for sample in read_profile(path).samples:
        if sample.locations:
            samples[sample.locations[0].frames[0].function] += sample.count
    for name, count in samples.most_common(lines):
        click.echo(f"{count:8,} {printable(name)}")
    return 0 if samples else 1
