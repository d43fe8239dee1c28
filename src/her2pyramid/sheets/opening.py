"""Open a table, whichever of the formats it is in."""

from __future__ import annotations

from pathlib import Path

from her2pyramid.errors import Her2PyramidError
from her2pyramid.limits import check_file_size
from her2pyramid.sheets.sheet import Sheet
from her2pyramid.sheets.text import read_text
from her2pyramid.sheets.workbook import OLE, ZIP, read_workbook


def read_sheets(path: Path) -> list[Sheet]:
    """The sheets of a workbook, or a text file as the only one, by the file's content.

    Raises
    ------
    Her2PyramidError
        If the file is missing or can't be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(OLE))
        check_file_size(path)
        return read_workbook(path) if start.startswith((ZIP, OLE)) else [read_text(path)]
    except FileNotFoundError:
        raise Her2PyramidError(
            "no such file", where=path, remedy="check the path in the configuration"
        ) from None
    except OSError as error:
        raise Her2PyramidError(
            f"not a readable file: {error}", where=path, remedy="check the path and its permissions"
        ) from error
