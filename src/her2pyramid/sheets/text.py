"""Text tables as sheets: CSV and TSV, as people, Excel and QuPath write them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

from openpyxl.cell.cell import ERROR_CODES

from her2pyramid.errors import Her2PyramidError
from her2pyramid.sheets.sheet import Place, Sheet, printable, tidy

SEPARATORS: Final = ("\t", ";", ",")
"""What cells may be separated by; Excel writes semicolons where numbers have decimal commas."""

QUPATH_GRID: Final = ".qpmap"
"""What QuPath calls a grid of case ids; it reads it down to the first line without cells."""

_HAS_CELLS: Final = re.compile("[\t,]")
_STATED: Final = re.compile(r"sep=([;,|\t])\r?\n", re.IGNORECASE)


def read_text(path: Path) -> Sheet:
    """Read a text table.

    UTF-8, and UTF-16 with its mark. In a file of another encoding, plain ASCII cells are sound;
    any other cell is a fault. What separates cells is told by the content.

    Raises
    ------
    Her2PyramidError
        If the file is no text, or a quoted cell has no end.
    """
    text = _decode(path)
    line = 0
    stated = _STATED.match(text)  # Excel's own hint, in a line above the table
    if stated:
        text, line = text[stated.end() :], 1
        separators: tuple[str, ...] = (stated[1],)
    else:
        separators = SEPARATORS
    if path.suffix.lower() == QUPATH_GRID:
        text = "\n".join(takewhile(_HAS_CELLS.search, text.splitlines()))
    records = _records(path, text, separators)
    cells: dict[Place, str] = {}
    faults: dict[Place, str] = {}
    for row, record in enumerate(records, start=line):
        for column, raw in enumerate(record):
            cell = tidy(raw)
            if not cell:
                continue
            cells[row, column] = cell
            if not cell.isprintable():  # bytes that are no UTF-8 have become lone surrogates
                faults[row, column] = (
                    f"{printable(cell)!r} holds what can't be read; save as CSV UTF-8"
                )
            elif cell in ERROR_CODES:
                faults[row, column] = f"{cell} is an error that Excel computed"
    return Sheet(path, None, cells, faults)


def _decode(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise _unreadable(path, str(error)) from error
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if "\0" in text:
        raise _unreadable(path, "it holds bytes that no text has")
    return text


def _records(path: Path, text: str, separators: Sequence[str]) -> list[list[str]]:
    """The rows, by the separator that makes them equally long; else by the one most at work."""
    readings: dict[str, list[list[str]]] = {}
    why = ""
    for separator in separators:
        try:
            lines = io.StringIO(text, newline="")
            readings[separator] = list(csv.reader(lines, delimiter=separator, strict=True))
        except csv.Error as error:  # with another separator the quotes may make sense
            why = str(error)
    if why and all(len(row) < 2 for records in readings.values() for row in records):
        raise _unreadable(path, why)
    even = []
    for separator, records in readings.items():
        widths = {len(row) for row in records if row}
        if len(widths) == 1 and max(widths) > 1:
            even.append(separator)
    if even == [";", ","]:
        raise Her2PyramidError(
            "its cells may be separated by semicolons as well as by commas",
            where=path,
            remedy="save it as an Excel workbook (.xlsx), or put cells that hold either in "
            'quotation marks: "..."',
        )
    if even:
        return readings[even[0]]
    return max(readings.values(), key=lambda records: sum(map(len, records)))


def _unreadable(path: Path, why: str) -> Her2PyramidError:
    return Her2PyramidError(
        f"not a readable text table: {why}",
        where=path,
        remedy="save it as an Excel workbook (.xlsx), or as UTF-8 text: .csv or .tsv",
    )
