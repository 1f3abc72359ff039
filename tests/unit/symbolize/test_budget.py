"""What a run may spend on files that others wrote."""

from __future__ import annotations

from ebprof.symbolize import Symbolizer
from ebprof.symbolize.budget import Budget, Budgets
from ebprof.symbolize.symtab import read_symbols
from tests.binutils import functions
from tests.unit.symbolize.conftest import INLINED, Compile, opened


def test_the_last_expense_may_be_too_much_and_no_other_follows() -> None:
    budget = Budget(10, "too dear")
    assert budget.allows()
    budget.spend(9)
    assert budget.allows()
    budget.spend(1000)
    assert list(budget.warnings) == []
    assert not budget.allows() and not budget.allows()
    assert list(budget.warnings) == ["too dear (2 left out)"]


def test_every_budget_warns() -> None:
    budgets = Budgets()
    each = [budgets.checksums, budgets.symbols, budgets.dwarf_seconds, budgets.perf_maps]
    for budget in each:
        assert budget.allows()
        budget.spend(1e18)
        assert not budget.allows()
    assert len(list(budgets.warnings)) == len(each)


def test_without_time_for_dwarf_there_are_functions(compile_program: Compile) -> None:
    program = compile_program(INLINED, "g++", "-O2", "-g")
    start, _ = functions(program)["_ZN2ns4workEi"]
    frames, warnings = {}, {}
    for seconds in (0.0, 100.0):
        made = Symbolizer(cache=None)
        made._budgets.dwarf_seconds = Budget(seconds, "no time")
        with opened(program) as file:
            (location,) = made.object_locations(file, [start]).values()
        frames[seconds], warnings[seconds] = location.frames[-1], made.warnings
        made.close()
    assert frames[0.0].function == frames[100.0].function == "ns::work(int)"
    assert (frames[0.0].line, frames[100.0].line > 0) == (0, True)
    assert warnings == {0.0: ("no time (1 left out)",), 100.0: ()}


def test_without_room_for_symbols_there_are_addresses(compile_program: Compile) -> None:
    program = compile_program(INLINED, "g++", "-O2")
    with opened(program) as file:
        spent, enough = Budget(0, "too large"), Budget(1, "too large")
        assert len(read_symbols(file.image, None, spent)) == 0
        assert len(read_symbols(file.image, None, enough)) > 0
        assert not enough.allows()
