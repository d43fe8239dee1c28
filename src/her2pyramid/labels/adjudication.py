"""The sheet of cores for the adjudicator: blinded, in random order, and read back as reads."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import pandas as pd

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels.consensus import TIE, TOO_FEW
from her2pyramid.labels.read_files import DATE, SCORE, SUBTYPE
from her2pyramid.sheets.opening import read_sheets
from her2pyramid.sheets.sheet import Place, Sheet, simple

TO_FILL: Final = ("score", "zero_subtype", "date", "notes")
"""Columns that are the adjudicator's to fill in."""

FILLED: Final = frozenset((*TO_FILL, *SCORE, *DATE, *SUBTYPE))
"""Their names, as somebody may have changed them."""


def adjudication_table(
    consensus: pd.DataFrame, cores: pd.DataFrame, *, adjudicators: Sequence[str], seed: int
) -> pd.DataFrame:
    """The cores that need an adjudicator's read and have none.

    How the readers voted, why the core is undecided and whose it is are left out, and the order
    is random, so that the adjudicator reads each core for itself. The order of two cores doesn't
    change when others come or go.

    Parameters
    ----------
    consensus
        Columns of `CONSENSUS`.
    cores
        The core tables of all slides, for where the cores are (columns of `CORES`).
    adjudicators
        Reader ids of the adjudicators; the sheet is for the first.
    seed
        Another seed gives another order.

    Returns
    -------
    DataFrame
        core_id, slide_id, row, col, reader_id, and the empty columns `TO_FILL`: filled in, it is
        a table of reads like any other.
    """
    waiting = consensus.loc[consensus["reason"].isin([TIE, TOO_FEW]), "core_id"]
    order = sorted(waiting, key=lambda core: blake2b(f"{seed}\0{core}".encode()).digest())
    places = cores.set_index("core_id").loc[order, ["slide_id", "row", "col"]].reset_index()
    return places.assign(reader_id=next(iter(adjudicators), ""), **dict.fromkeys(TO_FILL, ""))


def check_not_filled(path: str | Path) -> None:
    """Refuse to start while the sheet that the next run would overwrite holds reads.

    Raises
    ------
    Her2PyramidError
        If somebody has filled it in where it lies.
    """
    path = Path(path)
    if not path.exists():
        return
    sheets = read_sheets(path)
    filled = [
        sheet.row_name(place[0])
        for sheet in sheets
        for place, text in sorted(sheet.cells.items())
        if _title(sheet, place) and simple(text) not in FILLED
    ]
    titles = {simple(text) for sheet in sheets for text in sheet.cells.values()}
    if titles and not titles & {*SCORE}:
        filled.append("row 1")  # somebody has renamed the column of scores
    if filled:
        raise Her2PyramidError(
            f"the sheet for the adjudicator is being filled in ({filled[0]} is the first row), and "
            "the next run would overwrite it",
            where=path,
            remedy="move it beside your other tables of reads and add it to votes in the "
            "configuration",
        )


def _title(sheet: Sheet, place: Place) -> str:
    """The uppermost cell of the column that names what is to be filled in; "" if there is none."""
    _, column = place
    return next((text for text in sheet.columns[column].values() if simple(text) in FILLED), "")
