"""The row and the column of a layout that label its columns and rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from her2pyramid.sheets.sheet import Sheet
from her2pyramid.tma_map.cells import Label, parse_label, says_empty
from her2pyramid.tma_map.notes import is_sparse

MOST_STEP: Final = 3
"""Most that labels count on over blank lines: gaps between blocks may count as lines."""


@dataclass(frozen=True)
class Headers:
    """The labels that a layout carries.

    Attributes
    ----------
    row
        The row that holds the columns' labels; None if there is none.
    column
        The column that holds the rows' labels; None if there is none.
    columns, rows
        What each labelled column and row counts to, from 0.
    doubt
        Set where the labels may as well be ids: which, for a message.
    """

    row: int | None = None
    column: int | None = None
    columns: Mapping[int, int] = field(default_factory=dict)
    rows: Mapping[int, int] = field(default_factory=dict)
    doubt: str | None = None


def find_headers(sheet: Sheet) -> Headers:
    """Find the labels of a layout.

    A row of labels above a column of labels are headers wherever they stand. A row or a column
    alone is one if it counts from A or 1 and the cells beside it can't be a continuation of it.
    """
    both = _both(sheet)
    if both:
        return both
    doubts = []
    for turned, cells in ((False, sheet), (True, sheet.turned)):
        line, labels, doubt = _alone(cells)
        if doubt:
            doubts.append(f"{'column' if turned else 'row'} {doubt}")
        elif line is not None:
            return Headers(column=line, rows=labels) if turned else Headers(line, columns=labels)
    return Headers(doubt=doubts[0] if doubts else None)


def _both(sheet: Sheet) -> Headers | None:
    for row, cells in sheet.rows.items():
        first = next(iter(cells))
        corners = [c for c in sheet.columns if c < first and max(sheet.columns[c]) > row][-1:]
        for corner in (*corners, first):
            columns = _run((c, text) for c, text in cells.items() if c > corner)
            rows = _run((r, text) for r, text in sheet.columns[corner].items() if r > row)
            if columns and rows and _agree(sheet, row, corner, columns, rows):
                return Headers(row, corner, columns, rows)
    return None


def _agree(
    sheet: Sheet, row: int, column: int, columns: Mapping[int, int], rows: Mapping[int, int]
) -> bool:
    """Whether these are labels, and no ids that count on.

    Letters and digits are, unless one of the lines counts on from the corner; two lines of one
    kind are if both start from 1 or A, and the corner is no label.
    """
    across = parse_label(sheet.cells[row, next(iter(columns))])
    down = parse_label(sheet.cells[next(iter(rows)), column])
    assert across is not None and down is not None
    corner = parse_label(sheet.cells.get((row, column), ""))
    if across.kind == down.kind:
        return corner is None and min(columns.values()) == min(rows.values()) == 0
    return corner is None or not (
        _step((column, corner), (next(iter(columns)), across))
        or _step((row, corner), (next(iter(rows)), down))
    )


def _run(texts: Iterable[tuple[int, str]]) -> dict[int, int]:
    """The labels at the start of a line, as long as they count up or down; none if few do."""
    texts = list(texts)
    found: list[tuple[int, Label]] = []
    direction = 0
    for index, text in texts:
        label = parse_label(text)
        if label is None:
            break
        if found:
            step = _step(found[-1], (index, label))
            if not step or (direction and step != direction):
                break
            direction = step
        found.append((index, label))
    if len(found) < 2 or 2 * len(found) < len(texts):
        return {}
    return {index: label.number for index, label in found}


def _step(last: tuple[int, Label], this: tuple[int, Label]) -> int:
    """Which way two neighbouring labels count: 1 up, -1 down, 0 if they don't.

    From line to line they count by one, or by two over the letters that look like digits; over
    blank lines by up to `MOST_STEP`.
    """
    (line, label), (next_line, next_label) = last, this
    if label.kind != next_label.kind:
        return 0
    low, high = sorted((label.number, next_label.number))
    over_letter = label.kind == "letters" and high - low == 2 and (low + 1) % 26 in (8, 14)
    most = 1 + over_letter if next_line == line + 1 else MOST_STEP
    if not 1 <= high - low <= most:
        return 0
    return 1 if label.number == low else -1


def _alone(sheet: Sheet) -> tuple[int | None, dict[int, int], str | None]:
    """A row of labels without a column of them: (row, labels, why they may be ids instead)."""
    most = max(map(len, sheet.rows.values()))
    row = next(row for row, cells in sheet.rows.items() if not is_sparse(len(cells), most))
    cells = sheet.rows[row]
    labels = _run(cells.items())
    if len(labels) < len(cells) or min(labels.values()) != 0:
        return None, {}, None
    first = parse_label(next(iter(cells.values())))
    assert first is not None
    beside = [
        label.number
        for (r, _), text in sheet.cells.items()
        if r > row and not says_empty(text)
        for label in [parse_label(text)]
        if label and label.kind == first.kind
    ]
    if not beside:
        return row, labels, None
    last = max(labels.values())
    if last + 1 in beside and not set(beside) & set(labels.values()):
        return None, {}, None  # ids that count on from row to row
    return None, {}, f"({', '.join(cells.values())})"
