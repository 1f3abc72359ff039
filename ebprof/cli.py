"""The `ebprof` command: finds the commands, and turns errors into lines and exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from ebprof import __version__, commands, plugins
from ebprof.commands import CommandModule, _streams
from ebprof.errors import (
    EXIT_BAD_FILE,
    EXIT_FAILURE,
    EXIT_USAGE,
    EbprofError,
    UsageError,
    reason_of,
)
from ebprof.procfs.text import decoded
from ebprof.signals import ENDING

EXIT_INTERRUPTED = 130
PERF_COMMANDS = {"record": "profile", "script": "report -f folded"}
"""What perf calls something, and what comes closest here."""
ALIASES = {"top-traffic": "traffic"}
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class CommandGroup(click.Group):
    """A group whose commands are modules; one is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of ours and of plug-ins'."""
        return plugins.names(commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The `command` of the module of that name, or of the one that it is an alias of."""
        if cmd_name in PERF_COMMANDS and cmd_name not in self.list_commands(ctx):
            instead = f"`perf {cmd_name}` is `ebprof {PERF_COMMANDS[cmd_name]}` here"
            raise UsageError(f"no such command {cmd_name!r}", instead)
        try:
            with _one_thread_of_numpy():
                module = plugins.load(commands, ALIASES.get(cmd_name, cmd_name), CommandModule)
        except ImportError as error:
            raise EbprofError(f"cannot start {cmd_name}: {error}", "reinstall ebprof") from None
        found = getattr(module, "command", None)
        return found if isinstance(found, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names without their help: for that all commands would have to be imported."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*map(CompletionItem, names), *options]

    def make_context(self, *words: Any, **extra: Any) -> click.Context:
        """Read the words; `--help` and `--version` are written here: their reader may go, too."""
        try:
            return super().make_context(*words, **extra)
        except BrokenPipeError:
            _streams.discard_stdout()
            raise click.exceptions.Exit(0) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader of its output that goes away is no error (to click it is)."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _streams.discard_stdout()
            return 0
        return code


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 no such target, 4 no permission, "
    "5 not supported by this kernel, 6 bad file, 7 regression (diff --fail-above), "
    "130 interrupted before sampling; "
    "with -- COMMAND that command's own.",
)
@click.version_option(__version__, prog_name="ebprof")
@click.pass_context
def ebprof(ctx: click.Context) -> None:
    """CPU profiler and traffic tool for one machine, built on eBPF.

    \b
    ebprof profile -p 1234 -d 10                  hottest functions of a process
    ebprof profile -p 1234 | flamegraph.pl > x.svg
    ebprof flame -p 1234 -o flame.html            a flame graph to click in
    ebprof diff old.pb.gz new.pb.gz               what became slower
    ebprof top                                    hottest functions, live
    ebprof traffic --to :6379 --by peer           who calls this service, live
    ebprof doctor                                 what works on this machine

    `ebprof COMMAND --help` lists the options of a command; `man ebprof` has all options, formats,
    stop reasons, counters and files.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(EXIT_USAGE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; ends the process with a documented exit code."""
    _streams.prepare()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's `ebprof ... &` ignores it
    try:
        code = ebprof.main(args=arguments, prog_name="ebprof", standalone_mode=False)
    except EbprofError as error:
        code = _report(error.message, error.hint, error.exit_code)
    except click.ClickException as error:
        code = _report(_first_lower(error.format_message()), _see_help(error), EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort):
        code = EXIT_INTERRUPTED
    except OSError as error:
        code = _report_system_error(error)
    _streams.finish()
    for number in ENDING:  # all is said and done: the code stays
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _one_thread_of_numpy() -> Iterator[None]:
    """Have numpy start no threads for algebra if it is imported here: nobody needs any."""
    given = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_BLAS_THREADS]  # what we start is none of our business
        if given is not None:
            os.environ[_BLAS_THREADS] = given


def _report(message: str, hint: str, code: int) -> int:
    print(decoded(f"ebprof: {message}" + (f": {hint}" if hint else "")), file=sys.stderr)
    return code


def _report_system_error(error: OSError) -> int:
    """What nobody made an EbprofError of: writers of files do, those who print do not."""
    reason = reason_of(error)
    if error.filename is None and error.errno in _NO_ROOM:
        _streams.discard_stdout()  # or else Python tries once more when it ends
        return _report(f"cannot write stdout: {reason}", "", EXIT_BAD_FILE)
    if error.filename is None:
        return _report(reason, "", EXIT_FAILURE)
    return _report(f"cannot use {error.filename}: {reason}", "", EXIT_BAD_FILE)


def _first_lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).removesuffix(".")


def _see_help(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path if context else 'ebprof'} --help`"
