"""Excel workbooks (.xlsx) as sheets."""

from __future__ import annotations

import datetime
import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any, Final

from openpyxl import load_workbook

from her2pyramid.errors import Her2PyramidError
from her2pyramid.limits import unzip
from her2pyramid.sheets.sheet import Place, Range, Sheet, tidy

ZIP: Final = b"PK\x03\x04"
"""How a .xlsx file begins."""

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How an old .xls file begins, and a .xlsx file that a password protects."""

MOST_DIGITS: Final = 15
"""Digits of a number that Excel keeps; of a longer one it has replaced the last by zeros."""


def read_workbook(path: Path) -> list[Sheet]:
    """Read all sheets of a workbook, in its order.

    Numbers become the text that the laboratory wrote: 12.0 is "12", and 7 in a cell that is
    shown with three digits is "007". Formulas count by their stored results.

    Raises
    ------
    Her2PyramidError
        If the file is an old .xls file, is protected by a password, or can't be read.
    """
    data = path.read_bytes()
    if data.startswith(OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise Her2PyramidError(
                "a password protects the workbook",
                where=path,
                remedy="open it in Excel and save a copy without a password",
            )
        raise Her2PyramidError(
            "this is an Excel file of the format before 2007 (.xls)",
            where=path,
            remedy="open it in Excel and save it as an Excel workbook (.xlsx)",
        )
    try:
        # Packed again: a part may hold more than it claims, which openpyxl would unpack.
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, part in unzip(path).items():
                archive.writestr(name, part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fonts, charts and drop-down lists it can't keep
            formulas = load_workbook(content)
            results = load_workbook(content, data_only=True)
    except Her2PyramidError:
        raise
    except Exception as error:  # openpyxl has no exception of its own for a damaged file
        raise Her2PyramidError(
            f"not a readable Excel workbook: {str(error) or type(error).__name__}",
            where=path,
            remedy="open it in Excel or LibreOffice and save it as an Excel workbook (.xlsx); "
            "if neither opens it, fetch the file again",
        ) from error
    return [_sheet(path, formulas[result.title], result) for result in results.worksheets]


def _sheet(path: Path, formulas: Any, results: Any) -> Sheet:
    cells: dict[Place, str] = {}
    faults: dict[Place, str] = {}
    dates: dict[Place, datetime.datetime] = {}
    # Not iter_rows: one formatted cell at the sheet's far end would make it pass 17 billion cells.
    for (row, column), formula in formulas._cells.items():
        result = results._cells[row, column]
        text, fault = _text(result)
        if formula.data_type == "f" and result.value is None and result.data_type != "str":
            text, fault = "formula", "a formula without a stored result; open the file in Excel"
            fault += " and save it again"
        if text:
            cells[row - 1, column - 1] = text
        if fault:
            faults[row - 1, column - 1] = fault
        if isinstance(result.value, datetime.datetime):
            dates[row - 1, column - 1] = result.value
    merged = tuple(
        Range(area.min_row - 1, area.min_col - 1, area.max_row - 1, area.max_col - 1)
        for area in formulas.merged_cells.ranges
    )
    hidden = results.sheet_state != "visible"
    return Sheet(path, results.title, cells, faults, merged, hidden, dates)


def _text(cell: Any) -> tuple[str, str | None]:
    """A cell's text, and why it isn't what the laboratory wrote."""
    value = cell.value
    match value:
        case None:
            return "", None
        case bool():
            return str(value).upper(), None
        case int() | float():
            return _number(value, str(cell.number_format))
        case datetime.datetime() | datetime.date() | datetime.time() | datetime.timedelta():
            return str(value), (
                f"Excel has made this a date or time ({value}); format the cell as text and "
                "write it again"
            )
    text = tidy(str(value))
    if cell.data_type == "e":
        return text, f"{text} is an error that Excel computed"
    return text, None


def _number(value: int | float, shown_as: str) -> tuple[str, str | None]:
    text = str(int(value)) if value == int(value) else repr(value)
    if re.fullmatch("0+", shown_as):
        text = text.zfill(len(shown_as))
    if len(text.strip("-")) > MOST_DIGITS:
        return text, (
            f"Excel keeps {MOST_DIGITS} digits of a number, and {text} has more: its end is lost; "
            "format the cell as text and write it again"
        )
    return text, None
