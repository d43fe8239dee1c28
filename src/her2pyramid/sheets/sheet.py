"""Sheets of cells, from a text file or a workbook."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from openpyxl.utils import get_column_letter

from her2pyramid.errors import Her2PyramidError

Place = tuple[int, int]
"""Row and column of a cell in its sheet, from 0."""


def printable(text: str) -> str:
    """A cell's text for messages: without bytes that could not be decoded."""
    return "".join(c if c.isprintable() else "?" for c in text)


class Range(NamedTuple):
    """A rectangle of merged cells: first and last row and column, from 0."""

    top: int
    left: int
    bottom: int
    right: int

    def holds(self, place: Place) -> bool:
        """Whether a cell lies in it."""
        return self.top <= place[0] <= self.bottom and self.left <= place[1] <= self.right


@dataclass(frozen=True)
class Sheet:
    """The cells of a text file, or of a sheet of a workbook.

    Attributes
    ----------
    path
        The file.
    name
        The sheet's name; None in a text file.
    cells
        Text of each cell that isn't blank, tidied.
    faults
        Cells whose text isn't what the laboratory wrote, and why. They are in `cells` too.
    merged
        Merged cells.
    hidden
        Whether the workbook hides the sheet.
    dates
        Cells that a workbook holds as a date or time. They are in `faults` too: where no date is
        asked for, Excel has made one of an id.
    """

    path: Path
    name: str | None
    cells: Mapping[Place, str]
    faults: Mapping[Place, str] = field(default_factory=dict)
    merged: Sequence[Range] = ()
    hidden: bool = False
    dates: Mapping[Place, datetime.datetime] = field(default_factory=dict)

    @cached_property
    def rows(self) -> dict[int, dict[int, str]]:
        """The rows that aren't blank, from the top: their cells by column, from the left."""
        rows: dict[int, dict[int, str]] = {}
        for (row, column), text in sorted(self.cells.items()):
            rows.setdefault(row, {})[column] = text
        return rows

    @cached_property
    def columns(self) -> dict[int, dict[int, str]]:
        """The columns that aren't blank, from the left: their cells by row, from the top."""
        return self.turned.rows

    @cached_property
    def turned(self) -> Sheet:
        """The sheet with rows and columns exchanged, its cells alone."""
        return Sheet(self.path, self.name, {(c, r): text for (r, c), text in self.cells.items()})

    def cell_name(self, place: Place) -> str:
        """A cell for people: "sheet 'TMA 1', cell C7"."""
        return self._named(f"cell {get_column_letter(place[1] + 1)}{place[0] + 1}")

    def row_name(self, row: int) -> str:
        """A row for people: "sheet 'TMA 1', row 7"."""
        return self._named(f"row {row + 1}")

    def _named(self, part: str) -> str:
        return part if self.name is None else f"sheet {self.name!r}, {part}"

    def trouble(self, place: Place, *, date_wanted: bool = False) -> str | None:
        """Why a cell can't be taken for what it says; None if it can.

        Parameters
        ----------
        place
            The cell.
        date_wanted
            A date in the cell is what is asked for, and no id that Excel has changed.
        """
        if place in self.faults and not (date_wanted and place in self.dates):
            return f"{self.cell_name(place)}: {self.faults[place]}"
        for area in self.merged:
            if area.holds(place):
                first, last = (area.top, area.left), (area.bottom, area.right)
                return (
                    f"{self.cell_name(first)} is merged with the cells as far as "
                    f"{get_column_letter(last[1] + 1)}{last[0] + 1}, so that nobody can tell "
                    "which of them it is about; split it, and write the text into each cell "
                    "that it holds for"
                )
        return None

    def refusal(self, problems: str | Sequence[str], *, remedy: str) -> Her2PyramidError:
        """An error about this file."""
        return Her2PyramidError(problems, where=self.path, remedy=remedy)


def tidy(text: str) -> str:
    """Text without blanks around it, and with single blanks inside (also for line breaks)."""
    return " ".join(text.split())


def simple(title: str) -> str:
    """A name in lower case, with "_" for anything but letters and digits: "Core ID" is core_id."""
    return re.sub(r"[\W_]+", "_", title.casefold()).strip("_")
