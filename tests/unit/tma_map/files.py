"""Files that the tests of TMA maps write, and what they ask of the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from her2pyramid.errors import Her2PyramidError
from her2pyramid.tma_map.reading import read_tma_map


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    """A workbook with these rows of cells in its sheets; "_" in a sheet's name stands for " "."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name.replace("_", " "))
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def text(path: Path, *lines: str) -> Path:
    """A text file."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def cores(path: Path, slide_id: str = "S1", patients: Path | None = None) -> dict[str, str]:
    """Core id by position: {"A1": "C1"}."""
    rows = read_tma_map(path, slide_id, patients)
    found = {f"{row.row}{row.col}": row.core_id for row in rows}
    assert len(found) == len(rows)
    return found


def owners(path: Path, slide_id: str = "S1", patients: Path | None = None) -> dict[str, str | None]:
    """Patient by position."""
    return {f"{r.row}{r.col}": r.patient_id for r in read_tma_map(path, slide_id, patients)}


def refusal(read: Callable[..., object], *args: object) -> Her2PyramidError:
    """The error that a call raises."""
    with pytest.raises(Her2PyramidError) as caught:
        read(*args)
    return caught.value
