"""Whose each id is: a table of the ids that a map holds, with their patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from her2pyramid.sheets.sheet import Sheet
from her2pyramid.tma_map.cells import says_empty
from her2pyramid.tma_map.columns import find_table, key_and_patient

REMEDY = (
    "the table of patients has a column core_id, with the ids that the map holds, and a column "
    "patient_id; a control has no patient_id"
)


@dataclass(frozen=True)
class Patients:
    """The patients of a map's ids.

    Attributes
    ----------
    by_id
        Patient of each id; None for a control.
    where
        The table, for messages.
    """

    by_id: Mapping[str, str | None]
    where: str


def read_patients(sheet: Sheet) -> Patients:
    """Read a table of patients.

    Raises
    ------
    Her2PyramidError
        If it lacks a column, an id has no name or two patients, or a cell can't be trusted.
    """
    table = find_table(sheet)
    columns = key_and_patient(table) if table else None
    if table is None or columns is None:
        named = "" if sheet.name is None else f"sheet {sheet.name!r}: "
        raise sheet.refusal(f"{named}no columns core_id and patient_id", remedy=REMEDY)
    key_column, patient_column = columns
    by_id: dict[str, str | None] = {}
    first: dict[str, int] = {}
    place = sheet.row_name(table.header)
    problems = [f"{place}: there are two columns {title}" for title in table.repeated(columns)]
    for row in (row for row in sheet.rows if row > table.header):
        troubles = [sheet.trouble((row, column)) for column in columns]
        problems += [trouble for trouble in troubles if trouble]
        key = sheet.cells.get((row, key_column), "")
        said = sheet.cells.get((row, patient_column), "")
        patient = None if says_empty(said) else said
        if not key:
            if patient is not None:
                problems.append(f"{sheet.row_name(row)}: patient {patient!r} has no id of the map")
        elif by_id.setdefault(key, patient) != patient:
            problems.append(
                f"{sheet.row_name(row)}: id {key!r} has another patient in row {first[key] + 1}"
            )
        first.setdefault(key, row)
    if problems:
        raise sheet.refusal(list(dict.fromkeys(problems)), remedy=REMEDY)
    where = sheet.path.name if sheet.name is None else f"sheet {sheet.name!r}"
    return Patients(by_id, where)
