"""`ebprof completion`: what makes a shell complete ebprof's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), metavar="bash|zsh|fish")
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script by which a shell completes commands, options and their values.

    Load it where the shell starts, or write it to where the shell looks for such scripts:

    \b
    eval "$(ebprof completion bash)"                            in ~/.bashrc
    eval "$(ebprof completion zsh)"                             in ~/.zshrc, after compinit
    ebprof completion fish > ~/.config/fish/completions/ebprof.fish
    ebprof completion bash > /etc/bash_completion.d/ebprof      for all users
    """
    root = ctx.find_root()
    name = root.info_name or "ebprof"
    found = get_completion_class(shell)
    assert found is not None  # click has all of SHELLS since 8.0
    click.echo(found(root.command, {}, name, f"_{name.upper()}_COMPLETE").source())
