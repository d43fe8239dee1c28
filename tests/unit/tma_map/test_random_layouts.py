"""Layouts drawn at random: each is read as it was drawn, or refused, but never read wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from her2pyramid.errors import Her2PyramidError
from her2pyramid.sheets.sheet import Sheet
from her2pyramid.tma_map.layout import read_layout

SHEETS = 600


@dataclass
class Drawn:
    """A sheet, and which id it holds at which row and column of the array, from 0."""

    sheet: Sheet
    truth: dict[tuple[int, int], str]


def draw(rng: np.random.Generator, *, labels: tuple[bool, bool]) -> Drawn:
    """An array of blocks with gaps between them, some positions empty, a title and a note.

    `labels` says whether the columns and the rows have them.
    """
    n_rows, n_cols = (int(n) for n in rng.integers([4, 4], [12, 16]))
    ids = draw_ids(rng, n_rows, n_cols)
    empty = rng.random((n_rows, n_cols)) < rng.choice([0.0, 0.1])
    mark = str(rng.choice(["", "-"]))
    # Lines of the sheet: two below its top for a title and a blank row, one for the labels.
    row_at = 3 + np.arange(n_rows) + np.arange(n_rows) // int(rng.integers(3, 20))
    col_at = 1 + np.arange(n_cols) + np.arange(n_cols) // int(rng.integers(3, 20))
    cells = {}
    for row in range(n_rows):
        for col in range(n_cols):
            cells[row_at[row], col_at[col]] = mark if empty[row, col] else ids[row][col]
    cells = {place: text for place, text in cells.items() if text}
    used_rows = sorted({row for row, _ in cells})
    used_cols = sorted({col for _, col in cells})
    number_rows = {at: number for number, at in enumerate(row_at if labels[1] else used_rows)}
    number_cols = {at: number for number, at in enumerate(col_at if labels[0] else used_cols)}
    truth = {
        (number_rows[row], number_cols[col]): text
        for (row, col), text in cells.items()
        if text != "-"
    }
    if labels[0]:
        cells |= {(2, at): str(number + 1) for at, number in number_cols.items()}
    if labels[1]:
        letters = bool(rng.integers(2)) or not labels[0]
        cells |= {(at, 0): chr(65 + n) if letters else str(n + 1) for at, n in number_rows.items()}
    if rng.integers(2):
        cells[0, int(rng.integers(2))] = "TMA 12"
    if not rng.integers(4):
        cells[row_at[-1] + 2, 0] = "x = no core"
    return Drawn(Sheet(Path("m.csv"), None, cells), truth)


def draw_ids(rng: np.random.Generator, n_rows: int, n_cols: int) -> list[list[str]]:
    """Texts or numbers, that count on or stand in random order, each once or several times."""
    first, replicates = int(rng.choice([1, 101])), int(rng.integers(1, 4))
    numbers = first + np.arange(n_rows * n_cols) // replicates
    if rng.integers(2):
        rng.shuffle(numbers)
    by_column = bool(rng.integers(2))
    grid = numbers.reshape(n_cols, n_rows).T if by_column else numbers.reshape(n_rows, n_cols)
    prefix = str(rng.choice(["", "", "H"]))
    return [[f"{prefix}{number}" for number in row] for row in grid.tolist()]


def test_with_labels_of_rows_and_columns_all_are_read():
    rng = np.random.default_rng(1)
    for _ in range(SHEETS):
        drawn = draw(rng, labels=(True, True))
        spots = read_layout(drawn.sheet)
        assert {(s.row, s.col): s.text for s in spots} == drawn.truth, drawn.sheet.rows


def test_with_fewer_labels_none_is_read_wrongly():
    rng = np.random.default_rng(2)
    n_read = {(True, False): 0, (False, True): 0, (False, False): 0}
    for labels in n_read:
        for _ in range(SHEETS):
            drawn = draw(rng, labels=labels)
            try:
                spots = read_layout(drawn.sheet)
            except Her2PyramidError:
                continue
            assert {(s.row, s.col): s.text for s in spots} == drawn.truth, drawn.sheet.rows
            n_read[labels] += 1
    # Without a note below it an array without labels is read; column numbers above numeric ids
    # are not.
    assert n_read[False, False] > 0.6 * SHEETS
    assert n_read[False, True] > 0.5 * SHEETS
    assert n_read[True, False] > 0.2 * SHEETS
