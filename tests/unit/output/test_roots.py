"""What stacks begin with."""

from __future__ import annotations

import pytest

from ebprof.errors import UsageError
from ebprof.model import CONTAINER, Label
from ebprof.output import OutputFormat, check_root, folded, json, pprof, table, with_root
from tests.builders import profile, stack
from tests.unit.output.written import written

INSIDE = (Label(CONTAINER, "ab" * 32),)


def test_a_root_for_each_container() -> None:
    made = profile(
        stack("main;f", 1, comm="web"),
        stack("main;f", 2, comm="web", labels=INSIDE),
        stack("main;f", 4, comm="db", labels=(Label("other", "x"), *INSIDE)),
        stack("", 8, comm="", labels=INSIDE),
    )
    assert written(folded, with_root(made, "container")).decode().splitlines() == [
        "[no container];web;main;f 1",
        f"{'ab' * 32};[unknown] 8",
        f"{'ab' * 32};db;main;f 4",
        f"{'ab' * 32};web;main;f 2",
    ]
    assert with_root(made, "process") is made


@pytest.mark.parametrize("output", [pprof, json, table])
def test_formats_without_roots_are_refused(output: OutputFormat) -> None:
    check_root(output, "process")
    check_root(folded, "container")
    with pytest.raises(UsageError, match="--by container needs a format of whole stacks"):
        check_root(output, "container")
