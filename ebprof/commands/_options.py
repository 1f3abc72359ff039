"""Options that the commands which record share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ebprof.bpf.loaders import AUTO, LOADERS
from ebprof.commands import _complete, _symbol_options
from ebprof.commands._decorate import with_options
from ebprof.commands._stats import stats_option
from ebprof.commands._values import given, parse_duration, parse_numbers
from ebprof.errors import UnsupportedError, UsageError
from ebprof.events import listing
from ebprof.identity.containers import find_container
from ebprof.identity.groups import find_cgroup
from ebprof.sampling.options import (
    DEFAULT_TABLE_MEMORY,
    MAX_TABLE_MEMORY,
    MIN_TABLE_MEMORY,
    RecordOptions,
)
from ebprof.sampling.target import Target, parse_cpus

Function = Callable[..., Any]
MAX = "max"
MAX_SAMPLE_RATE = Path("/proc/sys/kernel/perf_event_max_sample_rate")
_HAS_COMMAND = f"{__name__}.has_command"


def most_frequent() -> int:
    """Samples a second that the kernel allows; raises UnsupportedError where it does not say."""
    try:
        return int(MAX_SAMPLE_RATE.read_text())
    except (OSError, ValueError):
        raise UnsupportedError(
            f"{MAX_SAMPLE_RATE} does not say what -F max is", "give a number"
        ) from None


def _list_events(ctx: click.Context, option: click.Parameter, name: str) -> str:
    """`-e help` prints what there is, and that is all."""
    if name == "help" and not ctx.resilient_parsing:
        for event, text in listing():
            click.echo(f"{event:<40} {text}")
        ctx.exit()
    return name


def _event_names() -> list[str]:
    return [event for event, _ in listing()]


class FrequencyType(click.IntRange):
    """A number of samples a second, or `max`: what the kernel allows."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; fails for any other text."""
        return most_frequent() if value == MAX else int(super().convert(value, param, ctx))


class CallGraphType(click.Choice[str]):
    """How to unwind. perf's `dwarf,BYTES` is taken for `dwarf`: no stack is copied."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """One of the choices; fails for any other text."""
        way, _, size = str(value).partition(",")
        return super().convert(way if way == "dwarf" and size.isdigit() else value, param, ctx)


def _not_taken(words: Sequence[str]) -> UsageError:
    """The error for words that are no option's and no argument."""
    shown = " ".join(words)
    if all(word.isdigit() for word in words):
        hint = "name processes like -p 12,34"
    else:
        hint = f"a command comes after --, like -- {shown}"
    return UsageError(f"unexpected extra argument ({shown})", hint)


class RecordingCommand(click.Command):
    """A command that may end in `-- COMMAND`, which it gets as `command_line`.

    What follows the first `--` is the command's own, options included; without `--` a word is
    never taken for a command.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what comes before `--`."""
        end = args.index("--") if "--" in args else len(args)
        words = tuple(args[end + 1 :])
        if end < len(args) and not words and not ctx.resilient_parsing:
            raise UsageError("no command after --", "write it like -- ./server --port 80")
        ctx.allow_extra_args = True  # what they are is said better here
        rest = super().parse_args(ctx, args[:end])
        if rest and not ctx.resilient_parsing:
            raise _not_taken(rest)
        ctx.params["command_line"] = words
        ctx.meta[_HAS_COMMAND] = end < len(args)
        return rest

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """None for a shell that completes what follows `--`: those words are not ours."""
        is_over = ctx.resilient_parsing and ctx.meta.get(_HAS_COMMAND)
        return [] if is_over else super().get_params(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Our options, or files after `--`."""
        if ctx.meta.get(_HAS_COMMAND):
            return [CompletionItem(incomplete, type="file")]
        return super().shell_complete(ctx, incomplete)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What the help's first line shows."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND]"]


loader_option = click.option(
    "--loader",
    type=click.Choice(LOADERS),
    default=AUTO,
    show_default=True,
    help="Who loads the BPF programs: libbpf, or bcc where the kernel has no BTF.",
)
_TARGET_OPTIONS = (
    click.option("-p", "--pid", multiple=True, metavar="PID[,PID]", help="Only these processes."),
    click.option("-t", "--tid", multiple=True, metavar="TID[,TID]", help="Only these threads."),
    click.option("-a", "--all", "everything", is_flag=True, help="All processes (the default)."),
    click.option("-C", "--cpu", metavar="CPUS", help="Only on these CPUs, like 0-3,8."),
    click.option("--comm", metavar="NAME", help="Only threads of this name."),
    click.option(
        "-G",
        "--cgroup",
        metavar="CGROUP",
        help="Only this cgroup: a path, a unit like nginx.service, or a container.",
    ),
    click.option(
        "--container",
        metavar="NAME|ID",
        help="Only this container: its name, or (the beginning of) its ID.",
    ),
    click.option("-i", "--no-inherit", is_flag=True, help="Not what processes start."),
)
_DEBUG_DIR, _DEBUGINFOD = _symbol_options.options(exists=True)
_SAMPLING_OPTIONS = (
    click.option(
        "-e",
        "--event",
        metavar="EVENT",
        default="cpu",
        callback=_list_events,
        is_eager=True,
        shell_complete=_complete.one_of(_event_names),
        help="cpu (cycles where the machine counts them, else cpu-clock), a perf event, a "
        "tracepoint, or a function as u:/path:name; `-e help` lists them.",
    ),
    click.option(
        "-F",
        "--frequency",
        type=FrequencyType(1),
        metavar="HZ",
        help="Samples a second on each CPU, or max; 99 for what takes time.",
    ),
    click.option(
        "-c",
        "--count",
        "period",
        type=click.IntRange(1, 2**63 - 1),
        metavar="N",
        help="Sample each N-th event instead; 1 for all that takes no time.",
    ),
    click.option("-d", "--duration", metavar="TIME", help="10, 10s, 2m; without it until Ctrl-C."),
    click.option("-U", "--user-stacks-only", is_flag=True, help="No kernel stacks."),
    click.option("-K", "--kernel-stacks-only", is_flag=True, help="No user stacks."),
    click.option(
        "--call-graph",
        type=CallGraphType(["auto", "dwarf", "fp"]),
        default="auto",
        show_default=True,
        help="Unwind by .eh_frame, by frame pointers, or by whichever fits the code.",
    ),
    click.option(
        "-g",
        "has_stacks",
        is_flag=True,
        hidden=True,
        expose_value=False,
        help="No effect: perf needs it for stacks, which are always there here.",
    ),
    click.option("-I", "--include-idle", is_flag=True, help="Sample idle CPUs too."),
    click.option("--no-inline", is_flag=True, help="Show physical functions only."),
    click.option(
        "--table-memory",
        type=click.IntRange(MIN_TABLE_MEMORY, MAX_TABLE_MEMORY),
        metavar="MIB",
        default=DEFAULT_TABLE_MEMORY,
        show_default=True,
        help="Memory for unwind tables.",
    ),
    _DEBUG_DIR,
    _DEBUGINFOD,
    loader_option,
)
_OUTPUT_OPTIONS = (
    stats_option,
    click.option("-q", "--quiet", is_flag=True, help="No progress and no summary."),
    click.option("-v", "--verbose", is_flag=True, help="Sum up unwind tables and times too."),
)


def recording_options(function: Function) -> Function:
    """`sampling_options`, and what to say of the run."""
    return sampling_options(with_options(function, _OUTPUT_OPTIONS))


def sampling_options(function: Function) -> Function:
    """Whom and how to sample: the command gets `target`, `options` and what else it asks for."""

    @functools.wraps(function)
    def wrapper(**values: Any) -> Any:
        target, options = _target(values), _options(values)
        return function(target=target, options=options, **values)

    return with_options(wrapper, (*_TARGET_OPTIONS, *_SAMPLING_OPTIONS))


def _target(values: dict[str, Any]) -> Target:
    cpus = values.pop("cpu")
    cgroup = given(values.pop("cgroup"), "-G")
    container = given(values.pop("container"), "--container")
    if cgroup and container:
        raise UsageError("-G and --container exclude each other", "choose one")
    target = Target(
        pids=parse_numbers(values.pop("pid"), "PID"),
        tids=parse_numbers(values.pop("tid"), "TID"),
        cpus=() if cpus is None else _parse_cpus(cpus),
        comm=given(values.pop("comm"), "--comm"),
        cgroup=cgroup,
        container=container,
        command=values.pop("command_line"),
        inherit=not values.pop("no_inherit"),
    )
    if values.pop("everything") and not target.is_system_wide:
        raise UsageError("-a and a process exclude each other", "choose one")
    if target.cgroup:
        return replace(target, cgroup=find_cgroup(target.cgroup))
    return _in_container(target) if container else target


def _in_container(target: Target) -> Target:
    """The same target with the cgroup of the container that it names in some way."""
    found = find_container(target.container)
    return replace(target, cgroup=found.cgroup, container=found.id)


def _parse_cpus(text: str) -> tuple[int, ...]:
    cpus = tuple(parse_cpus(text))
    if not cpus:
        raise UsageError(f"no CPU in {text!r}", "write it like 0-3,8")
    return cpus


def _options(values: dict[str, Any]) -> RecordOptions:
    user_only, kernel_only = values.pop("user_stacks_only"), values.pop("kernel_stacks_only")
    if user_only and kernel_only:
        raise UsageError("-U and -K exclude each other", "leave both out for both stacks")
    duration = values.pop("duration")
    frequency, period = values.pop("frequency"), values.pop("period")
    if frequency is not None and period is not None:
        raise UsageError("-F and -c exclude each other", "choose one")
    return RecordOptions(
        event=values.pop("event"),
        frequency=frequency,
        period=period,
        duration_s=None if duration is None else parse_duration(duration),
        user=not kernel_only,
        kernel=not user_only,
        idle=values.pop("include_idle"),
        call_graph=values.pop("call_graph"),
        inline=not values.pop("no_inline"),
        table_memory=values.pop("table_memory"),
        loader=values.pop("loader"),
        debug_dirs=tuple(values.pop("debug_dirs")),
        debuginfod=_symbol_options.servers(values.pop("debuginfod")),
    )
