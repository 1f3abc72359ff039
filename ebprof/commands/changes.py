"""`ebprof changes`: what is different from before."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ebprof import remote
from ebprof.commands import _complete
from ebprof.commands._input_options import reading_options, say, warn
from ebprof.commands._values import parse_duration
from ebprof.errors import BadFileError, UsageError, reason_of
from ebprof.output import Reading, check_writable, read_profiles, write_to
from ebprof.procfs.text import decoded, printable

if TYPE_CHECKING:
    from ebprof.changes.change import Change
    from ebprof.changes.recorded import Recorded

PATH = "/api/v1/changes"
BASELINES = ("before", "1h", "1d", "7d")
LEAST_WAIT_S, MOST_WAIT_S = 5.0, 3600.0
_WINDOW_S = 1.0
_LAST = "15m"
_OF_COLLECTOR = ("collector", "service", "query", "last", "start", "end", "baseline")
_OF_WAIT = ("save", "renew")
_NAMES = {"start": "from", "end": "to"}


@dataclass(frozen=True, slots=True)
class Saving:
    """Where the recording is that --wait compares with, and whether it is replaced."""

    path: Path
    renew: bool


@click.command()
@click.argument("files", nargs=-1, metavar="[A B]", shell_complete=_complete.files)
@click.option(
    "--collector",
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="The collector to ask.",
)
@click.option("--service", metavar="NAME", help="Only this service.")
@click.option("--query", metavar="SELECTOR", help='Only what this selects, like {node="b"}.')
@click.option("--last", metavar="TIME", help=f"Length of the range, which ends now.  [{_LAST}]")
@click.option("--from", "start", metavar="TIME", help="Start of the range: now-1h, or RFC 3339.")
@click.option("--to", "end", metavar="TIME", help="End of the range.  [now]")
@click.option(
    "--baseline",
    type=click.Choice(BASELINES),
    default=BASELINES[0],
    show_default=True,
    help="What to compare with: the range before, or the same time so long ago.",
)
@click.option(
    "--wait", metavar="TIME", help="Without a collector: watch this machine for this time."
)
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    shell_complete=_complete.files,
    help="The recording that --wait compares with.",
)
@click.option("--renew", is_flag=True, help="Have --wait replace that recording.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON, see docs/api.md.")
@reading_options
@click.pass_context
def command(
    ctx: click.Context, /, files: tuple[str, ...], how: Reading, as_json: bool, **values: Any
) -> None:
    """Show what is different from before: callers, functions, builds, processes, nodes.

    What varies anyway is no change. A collector compares the range with the one before. Two files
    are compared with each other. With --wait, what this machine does now is compared with a
    recording of when all was well, which the first run saves.

    \b
    ebprof changes                                 the last 15 minutes of all services
    ebprof changes --service redis --last 1h       who else calls it, what else it does
    ebprof changes --collector http://10.0.0.1:8080 --baseline 1d
    ebprof changes --query '{node="b"}' --from 2026-01-31T02:40:00Z --to 2026-01-31T03:00:00Z
    ebprof changes old.pb.gz new.pb.gz             two recordings, better with --slice 1s
    ebprof changes --wait 60                       this machine, without a collector
    """
    _check(ctx, files, values)
    answer: Mapping[str, Any] | None
    base = ""
    if files:
        answer = _of_files(files, how)
    elif values["wait"]:
        answer = _of_machine(values["wait"], _saving(values))
    else:
        answer, base = _of_collector(values, how), values["collector"].rstrip("/")
    if answer is not None:
        _show(answer, base, as_json)


def _check(ctx: click.Context, files: tuple[str, ...], values: Mapping[str, Any]) -> None:
    """Raise UsageError for options that do not go together."""

    def given(names: tuple[str, ...]) -> list[str]:
        sources = ((name, ctx.get_parameter_source(name)) for name in names)
        found = (name for name, source in sources if source == ParameterSource.COMMANDLINE)
        return [f"--{_NAMES.get(name, name)}" for name in found]

    if files and len(files) != 2:
        raise UsageError("one file is compared with another", "name two, like old.pb.gz new.pb.gz")
    source = "two files" if files else "--wait" if values["wait"] else ""  # else a collector
    wrong = given(_OF_COLLECTOR) if source else []
    wrong += given(_OF_WAIT) if source != "--wait" else []
    if files and values["wait"]:
        wrong.append("--wait")
    if wrong:
        hint = "leave it out" if source else "add --wait 60"
        where = f"for {source}" if source else "without --wait"
        raise UsageError(f"{wrong[0]} means nothing {where}", hint)
    if values["last"] and (values["start"] or values["end"]):
        raise UsageError("--last and --from exclude each other", "choose one")
    if values["service"] and values["query"]:
        raise UsageError(
            "--service and --query exclude each other", "write --query '{service=\"NAME\",...}'"
        )


def _of_collector(values: Mapping[str, Any], how: Reading) -> Mapping[str, Any]:
    """What the collector answers."""
    query = values["query"] or ""
    if values["service"]:
        name = values["service"].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        query = f'{{service="{name}"}}'
    start = values["start"]
    if not start:
        length = parse_duration(values["last"] or _LAST, "--last")
        start = f"now-{max(1, round(length))}s"
        if values["end"]:
            raise UsageError("--to needs --from", "give both, or --last")
    given = {"query": query, "from": start, "to": values["end"] or "now"}
    answer = remote.ask(
        values["collector"], PATH, given | {"baseline": values["baseline"]}, how.access
    )
    if not isinstance(answer, dict):
        raise BadFileError(f"{values['collector']} gives no list of changes", "is it a collector?")
    return answer


def _of_files(files: tuple[str, ...], how: Reading) -> dict[str, Any]:
    from ebprof.changes.recorded import of_profile

    if files[0] == files[1] == "-":
        raise UsageError("A and B cannot both be stdin", "save one of them to a file")
    profiles = read_profiles(*files, how=how)
    warn(*profiles)
    named = zip(profiles, map(printable, files), strict=True)
    return _compared(*(of_profile(profile, name) for profile, name in named))


def _of_machine(wait: str, saving: Saving) -> dict[str, Any] | None:
    """What this machine does now, compared with what was saved; None where that is the first."""
    from ebprof.changes import saved

    length = parse_duration(wait, "--wait")
    if not LEAST_WAIT_S <= length <= MOST_WAIT_S:
        raise UsageError(f"--wait {wait} is too short or too long", "from 5s to 1h")
    before = _read_saved(saving.path)
    if before is None or saving.renew:
        _make_room(saving.path)
    now = _record(length)
    if before is None or saving.renew:
        write_to(os.fspath(saving.path), lambda file: saved.write(now, file))
    where = decoded(os.fspath(saving.path))
    if before is None:
        _tell(f"there was nothing to compare with: saved to {where}, for the next time")
        return None
    if saving.renew:
        _tell(f"saved to {where} in place of what it was compared with")
    return _compared(before, now)


def _record(length: float) -> Recorded:
    """Sample this machine, and count its traffic, for so many seconds."""
    from ebprof.changes.recorded import FlowWindows, of_profile
    from ebprof.commands._record import ProgressLine
    from ebprof.recording.both import Both, open_traffic
    from ebprof.recording.recorder import Recorder
    from ebprof.sampling.options import RecordOptions
    from ebprof.sampling.run import open_run
    from ebprof.sampling.target import Target
    from ebprof.watch.loop import Schedule, Watch

    target = Target()
    options = RecordOptions(duration_s=length, slice_ns=round(_WINDOW_S * 1e9))
    flows = FlowWindows()
    with open_run(target, options) as run, open_traffic(_tell) as traffic:
        recorder = Recorder(run, options)
        line = ProgressLine(recorder, target.describe(), shown=sys.stderr.isatty())
        Watch(Both(recorder, traffic, flows.add), line, Schedule(_WINDOW_S, None, length)).run()
        recording = recorder.result()
    say(recording.warnings)
    found = of_profile(recording.profile, "this machine")
    tables = flows.tables(len(found.seconds)) if traffic else {}
    return replace(found, tables={**found.tables, **tables})


def _compared(before: Recorded, after: Recorded) -> dict[str, Any]:
    """Two recordings as the collector answers of two ranges."""
    from ebprof.changes import find
    from ebprof.changes.recorded import joined
    from ebprof.changes.text import as_json

    if before.has_cores != after.has_cores:
        raise UsageError(
            "one of the two does not say how long it is", "compare them by ebprof diff"
        )
    observation = joined(before, after)
    found = find(observation)
    if not before.has_cores:
        found = [_of_shares(one) for one in found if one.kind == "functions"]
    counts = int(observation.spans.after.sum()), int(observation.spans.before.sum())
    notes = []
    if min(counts) == 1:
        notes.append("without windows of time only the chance of samples is known: add --slice 1s")
    return {
        **_times(after),
        "baseline": {"name": "A", **_times(before)},
        "step": float(observation.spans.seconds[0]),
        "windows": {"after": counts[0], "before": counts[1], "past": counts[1]},
        "notes": notes,
        "rows": [as_json(one) for one in found],
    }


def _of_shares(change: Change) -> Change:
    """Without cores, which nobody knows."""
    return replace(change, figures=change.figures[-1:])


def _times(recorded: Recorded) -> dict[str, str]:
    from ebprof.changes.text import moment

    end = recorded.start_ms + round(1000 * float(recorded.seconds.sum()))
    return {"from": moment(recorded.start_ms), "to": moment(end)} if recorded.start_ms else {}


def _show(answer: Mapping[str, Any], base: str, as_json: bool) -> None:
    from ebprof.changes import report

    for note in report.notes(answer):
        _tell(note)
    if as_json:
        print(json.dumps(answer))
        return
    if answer.get("from"):
        _tell(report.head(answer))
    for line in report.lines(answer, base, sys.stdout.encoding or "ascii"):
        print(line)


def _saving(values: Mapping[str, Any]) -> Saving:
    return Saving(values["save"] or _default_path(), values["renew"])


def _default_path() -> Path:
    """In the user's directory for state, see the XDG Base Directory Specification."""
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return home / "ebprof" / "changes.json.gz"


def _read_saved(path: Path) -> Recorded | None:
    from ebprof.changes import saved

    name = decoded(os.fspath(path))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadFileError(f"cannot read {name}: {reason_of(error)}") from None
    try:
        return saved.read(io.BytesIO(data))
    except BadFileError as error:
        raise BadFileError(f"{name}: {error.message}", "remove it, or give --save FILE") from None


def _make_room(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        name = decoded(os.fspath(path.parent))
        raise BadFileError(f"cannot make {name}: {reason_of(error)}", "give --save FILE") from None
    check_writable(os.fspath(path))


def _tell(line: str) -> None:
    print(f"ebprof: {line}", file=sys.stderr)
