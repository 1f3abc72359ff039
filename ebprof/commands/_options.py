"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from ebprof.errors import UsageError
from ebprof.recording.recorder import RecordOptions
from ebprof.recording.target import Target, parse_cpus

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|)")
_NUMBERS = re.compile(r"[1-9][0-9]*(?:,[1-9][0-9]*)*")

Function = Callable[..., Any]


def parse_duration(text: str) -> float:
    """`10`, `10s`, `2m`, `500ms` as seconds; raises UsageError."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise UsageError(f"cannot read duration {text!r}", "write it like 10, 10s, 500ms or 2m")
    return seconds


def parse_numbers(texts: Iterable[str], what: str) -> tuple[int, ...]:
    """`12,34` as distinct positive numbers; raises UsageError."""
    numbers: dict[int, None] = {}
    for text in texts:
        if not _NUMBERS.fullmatch(text):
            raise UsageError(f"cannot read {what} {text!r}", "write it like 1234 or 1234,5678")
        numbers.update(dict.fromkeys(map(int, text.split(","))))
    return tuple(numbers)


class RecordingCommand(click.Command):
    """A command that may end in `-- COMMAND`, which it gets as `command_line`.

    What follows the first `--` is the command's own, options included; without `--` a word is
    never taken for a command.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what comes before `--`."""
        end = args.index("--") if "--" in args else len(args)
        words = tuple(args[end + 1 :])
        if end < len(args) and not words:
            raise UsageError("no command after --", "write it like -- ./server --port 80")
        rest = super().parse_args(ctx, args[:end])
        ctx.params["command_line"] = words
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What the help's first line shows."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND]"]


_TARGET_OPTIONS = (
    click.option("-p", "--pid", multiple=True, metavar="PID[,PID]", help="Only these processes."),
    click.option("-t", "--tid", multiple=True, metavar="TID[,TID]", help="Only these threads."),
    click.option("-a", "--all", "everything", is_flag=True, help="All processes (the default)."),
    click.option("-C", "--cpu", metavar="CPUS", help="Only on these CPUs, like 0-3,8."),
    click.option("--comm", metavar="NAME", help="Only threads of this name."),
    click.option("-G", "--cgroup", metavar="CGROUP", help="Only this cgroup."),
)
_SAMPLING_OPTIONS = (
    click.option(
        "-e",
        "--event",
        metavar="EVENT",
        default="cpu",
        help="cpu (cycles where the machine counts them, else cpu-clock), cycles, cpu-clock.",
    ),
    click.option(
        "-F",
        "--frequency",
        type=click.IntRange(1),
        default=99,
        show_default=True,
        help="Samples a second on each CPU.",
    ),
    click.option("-d", "--duration", metavar="TIME", help="10, 10s, 2m; without it until Ctrl-C."),
    click.option("-U", "--user-stacks-only", is_flag=True, help="No kernel stacks."),
    click.option("-K", "--kernel-stacks-only", is_flag=True, help="No user stacks."),
    click.option(
        "--call-graph",
        type=click.Choice(["auto", "dwarf", "fp"]),
        default="auto",
        show_default=True,
        help="Unwind by .eh_frame, by frame pointers, or by whichever fits the code.",
    ),
    click.option("-I", "--include-idle", is_flag=True, help="Sample idle CPUs too."),
    click.option("--no-inline", is_flag=True, help="Show physical functions only."),
)
_OUTPUT_OPTIONS = (
    click.option("--stats", metavar="FILE", help="Write figures of the run to FILE as JSON."),
    click.option("-q", "--quiet", is_flag=True, help="No progress and no summary."),
    click.option("-v", "--verbose", is_flag=True, help="Sum up unwind tables and times too."),
)


def recording_options(function: Function) -> Function:
    """Whom and how to sample: the command gets `target`, `options` and what else it asks for."""

    @functools.wraps(function)
    def wrapper(**values: Any) -> Any:
        target, options = _target(values), _options(values)
        return function(target=target, options=options, **values)

    wrapped: Function = wrapper
    for option in reversed((*_TARGET_OPTIONS, *_SAMPLING_OPTIONS, *_OUTPUT_OPTIONS)):
        wrapped = option(wrapped)
    return wrapped


def _target(values: dict[str, Any]) -> Target:
    cpus = values.pop("cpu")
    target = Target(
        pids=parse_numbers(values.pop("pid"), "PID"),
        tids=parse_numbers(values.pop("tid"), "TID"),
        cpus=() if cpus is None else _parse_cpus(cpus),
        comm=_given(values.pop("comm"), "--comm"),
        cgroup=_given(values.pop("cgroup"), "-G"),
        command=values.pop("command_line"),
    )
    if values.pop("everything") and not target.is_system_wide:
        raise UsageError("-a and a process exclude each other", "choose one")
    return target


def _parse_cpus(text: str) -> tuple[int, ...]:
    cpus = tuple(parse_cpus(text))
    if not cpus:
        raise UsageError(f"no CPU in {text!r}", "write it like 0-3,8")
    return cpus


def _given(name: str | None, option: str) -> str:
    """The option's value, empty when it was left out: an empty one would mean the same."""
    if name == "":
        raise UsageError(f"{option} is empty", "give a name, or leave it out")
    return name or ""


def _options(values: dict[str, Any]) -> RecordOptions:
    user_only, kernel_only = values.pop("user_stacks_only"), values.pop("kernel_stacks_only")
    if user_only and kernel_only:
        raise UsageError("-U and -K exclude each other", "leave both out for both stacks")
    duration = values.pop("duration")
    return RecordOptions(
        event=values.pop("event"),
        frequency=values.pop("frequency"),
        duration_s=None if duration is None else parse_duration(duration),
        user=not kernel_only,
        kernel=not user_only,
        idle=values.pop("include_idle"),
        call_graph=values.pop("call_graph"),
        inline=not values.pop("no_inline"),
    )
