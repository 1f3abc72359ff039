"""What hands type that know perf: it does what is meant by it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ebprof.commands import _options, flame, profile, top
from ebprof.commands._options import RecordingCommand, sampling_options
from ebprof.errors import UnsupportedError
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.target import Target


def parsed(*words: str) -> tuple[Target, RecordOptions]:
    """The target and options of a command line."""
    found: list[tuple[Target, RecordOptions]] = []

    @click.command(cls=RecordingCommand)
    @sampling_options
    def command(target: Target, options: RecordOptions) -> None:
        found.append((target, options))

    command.main(list(words), standalone_mode=False)
    return found[0]


@pytest.mark.parametrize("words", [["-g"], ["-ag"], ["-g", "-F", "99"], ["-F99", "-g"]])
def test_stacks_need_not_be_asked_for(words: list[str]) -> None:
    plain = [word.replace("g", "") for word in words if word != "-g"]
    assert parsed(*words) == parsed(*plain)


@pytest.mark.parametrize("module", [profile, flame, top])
def test_that_they_need_not_be_is_no_part_of_the_help(module: object) -> None:
    command: click.Command = module.command  # type: ignore[attr-defined]
    context = click.Context(command, info_name="x")
    assert "-g" in {name for one in command.params for name in one.opts}
    assert " -g" not in command.get_help(context)


def test_how_much_of_a_stack_to_copy_is_no_question() -> None:
    assert parsed("--call-graph", "dwarf,16384") == parsed("--call-graph=dwarf")


def test_as_often_as_the_kernel_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = tmp_path / "rate"
    rate.write_text("40000\n")
    monkeypatch.setattr(_options, "MAX_SAMPLE_RATE", rate)
    assert parsed("-F", "max") == parsed("-F", "40000")
    rate.write_text("many\n")
    with pytest.raises(UnsupportedError) as caught:
        parsed("-F", "max")
    assert str(rate) in caught.value.message and caught.value.hint == "give a number"


@pytest.mark.parametrize("words", [["--pid=12"], ["-p", "12"], ["-p12"]])
def test_forms_of_a_pid(words: list[str]) -> None:
    assert parsed(*words)[0].pids == (12,)
