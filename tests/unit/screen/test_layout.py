from __future__ import annotations

from ebprof.screen.layout import Column, fit_columns

KEY = Column("key", "KEY", 5, 20, 0)
RATE = Column("rate", "RATE", 8, 8, 1, "right")
NOTE = Column("note", "NOTE", 4, 60, 2)
COLUMNS = (KEY, NOTE, RATE)
WANTED = {"key": 10, "rate": 8, "note": 30}


def fitted(width: int, **wanted: int) -> dict[str, int]:
    return {column.name: cells for column, cells in fit_columns(COLUMNS, WANTED | wanted, width)}


def test_all_columns_get_what_they_want() -> None:
    assert fitted(100) == {"key": 10, "note": 30, "rate": 8}


def test_what_is_spare_is_shared() -> None:
    least = 5 + 1 + 4 + 1 + 8
    assert fitted(least + 7) == {"key": 8, "note": 8, "rate": 8}
    assert fitted(least + 14) == {"key": 10, "note": 13, "rate": 8}


def test_the_highest_rank_is_left_out_first() -> None:
    assert fitted(18) == {"key": 9, "rate": 8}
    assert fitted(13) == {"key": 10}


def test_rank_zero_stays_however_narrow_it_gets() -> None:
    assert fitted(1) == {"key": 5}


def test_an_empty_column_is_left_out() -> None:
    assert fitted(100, note=0) == {"key": 10, "rate": 8}


def test_no_column_is_wider_than_it_has_a_use_for() -> None:
    assert fitted(200, key=50, note=90) == {"key": 20, "note": 60, "rate": 8}
