"""Titles and notes about a layout, told from its cores."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from her2pyramid.sheets.sheet import Sheet


def is_sparse(n_cells: int, most: int) -> bool:
    """Whether a line has far fewer cells than the array's fullest: one or two, under half."""
    return n_cells <= 2 and 2 * n_cells < most


def without_titles(sheet: Sheet) -> Sheet:
    """The sheet without the sparse rows at its top that are merged or have a blank row below."""
    most = max(map(len, sheet.rows.values()), default=0)
    titles: set[int] = set()
    for block in _blocks(sheet.rows)[:-1]:
        if not all(is_sparse(len(sheet.rows[row]), most) for row in block):
            break
        titles.update(block)
    for row, cells in sheet.rows.items():
        if row in titles:
            continue
        wide = [area for area in sheet.merged if area.left < area.right]
        merged = any(area.holds((row, min(cells))) for area in wide)
        if not merged or not is_sparse(len(cells), most):
            break
        titles.add(row)
    return replace(sheet, cells={p: text for p, text in sheet.cells.items() if p[0] not in titles})


def doubtful(lines: Mapping[int, Collection[object]], *, titles: bool) -> set[int]:
    """Rows or columns without labels that may hold cores as well as a title or notes.

    They are the blocks of lines of one or two cells, and a first line with no more than that.

    Parameters
    ----------
    lines
        The cells of each line that isn't blank, in order.
    titles
        Whether the first line is where a title would stand.
    """
    most = max(map(len, lines.values()), default=0)
    blocks = _blocks(lines)
    found: set[int] = set()
    if len(blocks) > 1:
        few = {n for n, cells in lines.items() if len(cells) <= 2 and len(cells) < most}
        found.update(line for block in blocks if few.issuperset(block) for line in block)
    for line in list(lines)[:1]:
        n_cells = len(lines[line])
        if is_sparse(n_cells, most) or (titles and n_cells == 1 < most):
            found.add(line)
    return found


def _blocks(lines: Iterable[int]) -> list[list[int]]:
    """Lines that follow one another without a blank one between."""
    blocks: list[list[int]] = []
    for line in lines:
        if blocks and line == blocks[-1][-1] + 1:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return blocks
