"""TMA maps that are tables with a row a core."""

from __future__ import annotations

from typing import Final

from her2pyramid.dearray.align import row_label
from her2pyramid.sheets.sheet import Sheet
from her2pyramid.tma_map.cells import parse_label, says_empty
from her2pyramid.tma_map.columns import CASE, COL, CORE, PATIENT, ROW, SLIDE, Table, find_table
from her2pyramid.tma_map.drafts import Draft
from her2pyramid.tma_map.patients import Patients

COLUMNS: Final = "slide_id, row, col, core_id, patient_id"


def read_long(sheet: Sheet, slide_id: str, patients: Patients | None) -> list[Draft]:
    """Read a table with a row a core.

    Columns are told by their names. Other columns are passed over, unless one of them may be the
    patient or the slide under a name that nobody knows.

    Parameters
    ----------
    sheet
        A sheet of the kind "long".
    slide_id
        The slide that all rows are of if there is no column slide_id.
    patients
        Patients of the core ids, used if there is no column patient_id.

    Returns
    -------
    The cores of all slides in the table.

    Raises
    ------
    Her2PyramidError
        If a column is missing or may be misspelt, or a cell can't be trusted.
    """
    table = find_table(sheet)
    assert table is not None
    columns = {
        "slide_id": table.find(*SLIDE),
        "row": table.find(*ROW),
        "col": table.find(*COL),
        "core_id": table.find(*CORE),
        "patient_id": table.find(*PATIENT, *CASE),
    }
    _check(sheet, table, columns, patients)
    used = {name: column for name, column in columns.items() if column is not None}
    problems: list[str] = []
    drafts = []
    for row, cells in sheet.rows.items():
        if row <= table.header:
            continue
        place = sheet.row_name(row)
        troubles = [sheet.trouble((row, column)) for column in used.values()]
        problems += [trouble for trouble in troubles if trouble]
        problems += [
            f"{sheet.cell_name((row, column))}: this column has no name"
            for column in cells
            if column not in table.titles
        ]
        said = {name: cells.get(column, "") for name, column in used.items()}
        core_id = said["core_id"]
        if core_id and says_empty(core_id):
            continue
        patient = said.get("patient_id", "")
        if "patient_id" not in used and patients is not None:
            if core_id not in patients.by_id:
                problems.append(f"{place}: core {core_id!r} isn't in {patients.where}")
            patient = patients.by_id.get(core_id) or ""
        label = parse_label(said["row"])
        drafts.append(
            Draft(
                place=place,
                line=row + 1,
                slide_id=said.get("slide_id", slide_id),
                row=row_label(label.number) if label and label.number >= 0 else said["row"],
                col=said["col"],
                core_id=core_id,
                patient_id=None if says_empty(patient) else patient,
            )
        )
    if problems:
        raise sheet.refusal(
            list(dict.fromkeys(problems)), remedy=f"mend these rows (columns: {COLUMNS})"
        )
    return drafts


def _check(
    sheet: Sheet, table: Table, columns: dict[str, int | None], patients: Patients | None
) -> None:
    """Refuse a table that lacks a column, or that may hold it under another name."""
    place = sheet.row_name(table.header)
    problems = [
        f"{place}: column {name} is missing"
        for name in ("row", "col", "core_id")
        if columns[name] is None
    ]
    used = [column for column in columns.values() if column is not None]
    problems += [f"{place}: there are two columns {title}" for title in table.repeated(used)]
    known = {*SLIDE, *ROW, *COL, *CORE, *PATIENT, *CASE}
    others = {name: table.titles[c] for name, c in table.names.items() if name not in known}
    if columns["patient_id"] is None and patients is None:
        problems += [
            f"{place}: unknown column {title}, and no column patient_id: is it the patient?"
            for title in others.values()
        ]
    if columns["slide_id"] is None:
        problems += [
            f"{place}: unknown column {title}, and no column slide_id: is it the slide?"
            for name, title in others.items()
            if "slide" in name
        ]
    if problems:
        raise sheet.refusal(
            problems,
            remedy=f"give the columns these names: {COLUMNS} (slide_id and patient_id may be left "
            "out; if there are no patients, an empty column patient_id says so)",
        )
