"""Tables of a TMA grid that QuPath writes.

The name of a core, such as "A-1", says where it lies, and "Case ID" ("Unique ID" before QuPath
0.4) whose it is. Such columns stand in the table of TMA measurements, in the data that are
exported with a TMA (.qptma, below a few lines about the grid), and in the list of core names and
case ids that QuPath imports.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from her2pyramid.dearray.align import row_label
from her2pyramid.sheets.sheet import Sheet
from her2pyramid.tma_map.cells import parse_label, says_empty
from her2pyramid.tma_map.columns import CASE, NAME, Table, find_table, position_name
from her2pyramid.tma_map.drafts import Draft, core_id_of
from her2pyramid.tma_map.patients import Patients

RELABEL = (
    "relabel the grid in QuPath (TMA > Relabel TMA grid: columns 1-12, rows A-H, row first) and "
    "export again"
)


def read_qupath(sheet: Sheet, slide_id: str, patients: Patients | None) -> list[Draft]:
    """Read a table of a TMA grid.

    Which part of a name is the row is told by the cores' coordinates, since QuPath names cores by
    row and column in either order; without coordinates letters are rows. Cores that QuPath marks
    as missing are left out. Cores are named by their position, and a core without a case id is a
    control.

    Parameters
    ----------
    sheet
        A sheet of the kind "qupath".
    slide_id
        The slide: where the table lists several images, the one of this name is taken.
    patients
        Whose each case id is, or each core name where there is no case id.

    Raises
    ------
    Her2PyramidError
        If a name is no position, or a cell can't be trusted; each is named.
    """
    table = find_table(sheet)
    assert table is not None
    rows = _of_slide(sheet, table, slide_id, _cores(sheet, table))
    name_column = table.find(*NAME)
    case_column = table.find(*CASE)
    assert name_column is not None
    problems = []
    names: list[tuple[int, str, str]] = []
    for row in rows:
        troubles = [sheet.trouble((row, c)) for c in (name_column, case_column) if c is not None]
        problems += [trouble for trouble in troubles if trouble]
        name = sheet.cells.get((row, name_column), "")
        parts = position_name(name)
        if parts is None:
            problems.append(f"{sheet.row_name(row)}: core name {name!r} is no position such as A-1")
        else:
            names.append((row, *parts))
    if problems:
        raise sheet.refusal(list(dict.fromkeys(problems)), remedy=RELABEL)
    first_is_row = _first_is_row(sheet, table, names)
    drafts = []
    for row, first, second in names:
        place = sheet.row_name(row)
        row_number, col_number = (
            _number(part) for part in ((first, second) if first_is_row else (second, first))
        )
        if row_number < 0 or col_number < 0:
            problems.append(f"{place}: rows and columns count from 1, not from 0")
            continue
        if _is_missing(sheet, table, row):
            continue
        key_column = name_column if case_column is None and patients else case_column
        said = "" if key_column is None else sheet.cells.get((row, key_column), "")
        patient = None if says_empty(said) else said
        if patient and patients:
            if patient not in patients.by_id:
                problems.append(f"{place}: {patient!r} isn't in {patients.where}")
            patient = patients.by_id.get(patient)
        drafts.append(
            Draft(
                place=place,
                line=row + 1,
                slide_id=slide_id,
                row=row_label(row_number),
                col=str(col_number + 1),
                core_id=core_id_of(slide_id, row_number, col_number),
                patient_id=patient,
            )
        )
    if problems:
        raise sheet.refusal(problems, remedy=f"mend these rows, or {RELABEL}")
    return drafts


def _cores(sheet: Sheet, table: Table) -> list[int]:
    """The rows of TMA cores: not of the cells and annotations in them."""
    rows = [row for row in sheet.rows if row > table.header]
    kind = table.find("object_type")
    if kind is not None:
        rows = [r for r in rows if "tma" in sheet.cells.get((r, kind), "").casefold()]
    if not rows:
        raise sheet.refusal(
            "the table lists no TMA core",
            remedy="export QuPath's table of TMA cores (Measure > Show TMA measurements)",
        )
    return rows


def _of_slide(sheet: Sheet, table: Table, slide_id: str, rows: list[int]) -> list[int]:
    column = table.find("image")
    if column is None:
        return rows
    images = {row: sheet.cells.get((row, column), "") for row in rows}
    if len(set(images.values())) == 1:
        return rows
    chosen = [r for r, image in images.items() if f"{image}.".startswith(f"{slide_id}.")]
    if not chosen:
        raise sheet.refusal(
            f"no image is named {slide_id}; there are {', '.join(sorted(set(images.values())))}",
            remedy="give the slide the image's name as slide_id, or export each image by itself",
        )
    return chosen


def _is_missing(sheet: Sheet, table: Table, row: int) -> bool:
    missing, present = table.find("missing", "missing_core"), table.find("present")
    return (missing is not None and sheet.cells.get((row, missing), "").casefold() == "true") or (
        present is not None and sheet.cells.get((row, present), "").casefold() != "true"
    )


def _number(label: str) -> int:
    parsed = parse_label(label)
    assert parsed is not None
    return parsed.number


def _first_is_row(sheet: Sheet, table: Table, names: Sequence[tuple[int, str, str]]) -> bool:
    """Whether the first part of a core's name is its row: the part that changes down the slide."""
    x = _coordinates(sheet, table, "x", names)
    y = _coordinates(sheet, table, "y", names)
    first = np.array([_number(name[1]) for name in names])
    second = np.array([_number(name[2]) for name in names])
    down = _follows(first, y) + _follows(second, x)
    across = _follows(first, x) + _follows(second, y)
    if down != across:
        return down > across
    kinds = {tuple(parse_label(part).kind for part in name[1:]) for name in names}  # type: ignore[union-attr]
    if kinds == {("letters", "digits")}:
        return True
    if kinds == {("digits", "letters")}:
        return False
    raise sheet.refusal(
        "the core names don't tell which of their parts is the row, and there are no coordinates",
        remedy=f"export the columns Centroid X and Centroid Y too, or {RELABEL}",
    )


def _coordinates(
    sheet: Sheet, table: Table, axis: str, names: Sequence[tuple[int, str, str]]
) -> NDArray[np.float64]:
    """A coordinate of each core, in whatever unit; NaN where none is stated."""
    column = next(
        (
            c
            for name, c in table.names.items()
            if name == axis or name.startswith(f"centroid_{axis}")
        ),
        None,
    )
    values = []
    for row, *_ in names:
        text = "" if column is None else sheet.cells.get((row, column), "")
        try:
            values.append(float(text.replace(",", ".")))
        except ValueError:
            values.append(math.nan)
    return np.array(values)


def _follows(labels: NDArray[np.int64], coordinate: NDArray[np.float64]) -> float:
    """How closely labels follow a coordinate, rising or falling: 0 to 1."""
    known = np.isfinite(coordinate)
    if known.sum() < 2 or not np.ptp(labels[known]) or not np.ptp(coordinate[known]):
        return 0.0
    return abs(float(np.corrcoef(labels[known], coordinate[known])[0, 1]))
