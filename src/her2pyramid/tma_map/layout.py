"""TMA maps whose cells lie as the cores do on the slide."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openpyxl.utils import get_column_letter
from pydantic import TypeAdapter, ValidationError

from her2pyramid.dearray.align import row_label
from her2pyramid.inputs import Identifier
from her2pyramid.sheets.sheet import Place, Sheet
from her2pyramid.tma_map.cells import parse_label, says_empty
from her2pyramid.tma_map.drafts import Draft, core_id_of
from her2pyramid.tma_map.headers import Headers, find_headers
from her2pyramid.tma_map.notes import doubtful, without_titles
from her2pyramid.tma_map.patients import Patients

log = logging.getLogger("her2pyramid")

_CORE_ID: Final = TypeAdapter[str](Identifier)

LEAST_REPEATED: Final = 0.5
"""Share of the cells whose text stands in other cells too, from which the texts are patients."""

LABELS: Final = (
    "label the rows A, B, ... in the first column and the columns 1, 2, ... in the first row, "
    "with the corner left blank"
)

REMEDY: Final = (
    "mend these cells: a core's id in each cell that a core lies at, '-' where none does, a blank "
    "row below a title, and notes on another sheet; if that isn't enough"
)


@dataclass(frozen=True)
class Spot:
    """A cell of the array.

    Attributes
    ----------
    place
        Where in the sheet it is.
    row, col
        Its position on the array, from 0.
    text
        What it says.
    """

    place: Place
    row: int
    col: int
    text: str


def read_layout(sheet: Sheet) -> list[Spot]:
    """Read a sheet whose cells lie as the cores do on the slide.

    Labels of rows and columns name the positions. Without them the rows and columns are counted,
    but for those that are wholly blank, which are gaps between blocks. Titles above the array,
    and notes beside or below its labels, are passed over.

    Returns
    -------
    The positions where a core is expected, by row and column.

    Raises
    ------
    Her2PyramidError
        If it isn't plain which cells are the array's, or one of them can't be trusted.
    """
    whole, sheet = sheet, without_titles(sheet)
    headers = find_headers(sheet)
    if headers.doubt:
        raise sheet.refusal(
            f"{_in(sheet)}the first {headers.doubt} holds either labels or ids: nobody can tell",
            remedy=LABELS,
        )
    array, problems = _array(sheet, headers)
    rows = _numbers(headers.rows, (row for row, _ in array))
    cols = _numbers(headers.columns, (col for _, col in array))
    problems += _label_problems(sheet, headers)
    problems += [trouble for place in array if (trouble := sheet.trouble(place))]
    if problems:
        raise sheet.refusal(list(dict.fromkeys(problems)), remedy=f"{REMEDY}, {LABELS}")
    # By their cells: a note may say who somebody is, and this goes into the results' logs.
    passed = [
        whole.cell_name(place)
        for place in sorted(whole.cells)
        if place not in array and place[0] != headers.row and place[1] != headers.column
    ]
    if passed:
        log.info("%s: passed over as titles and notes: %s", sheet.path.name, ", ".join(passed))
    return [
        Spot(place, rows[place[0]], cols[place[1]], text)
        for place, text in sorted(array.items())
        if not says_empty(text)
    ]


def read_qupath_grid(sheet: Sheet) -> list[Spot]:
    """Read the text of a grid that QuPath imports (.qpmap): every row and column of it counts.

    Raises
    ------
    Her2PyramidError
        If a cell can't be trusted.
    """
    problems = [trouble for place in sorted(sheet.cells) if (trouble := sheet.trouble(place))]
    if problems:
        raise sheet.refusal(problems, remedy="mend these cells")
    headers = find_headers(sheet)
    labelled = headers.row is not None and headers.column is not None
    top, left = (1, 1) if labelled else (0, 0)
    return [
        Spot(
            (row, column),
            headers.rows[row] if labelled and row in headers.rows else row - top,
            headers.columns[column] if labelled and column in headers.columns else column - left,
            text,
        )
        for (row, column), text in sorted(sheet.cells.items())
        if row >= top and column >= left and not says_empty(text)
    ]


def as_drafts(
    spots: Sequence[Spot],
    sheet: Sheet,
    slide_id: str,
    patients: Patients | None,
    *,
    of_patients: bool = False,
) -> list[Draft]:
    """Say which core and whose each cell is.

    Texts that differ from cell to cell are the ids of the cores. Texts of which at least half
    stand in several cells are the ids of patients, each core of whom is named by its position, so
    that no other cell has a part in its id. A table of patients settles whose the cores are;
    they are then named by their texts if these differ and are fit for it.

    Parameters
    ----------
    spots
        The positions where a core is expected.
    sheet
        Where they come from, for messages.
    slide_id
        The slide.
    patients
        Whose each text is.
    of_patients
        That the texts are known to be ids of patients.

    Raises
    ------
    Her2PyramidError
        If the texts are neither, or the table of patients lacks one.
    """
    count = Counter(spot.text for spot in spots)
    repeated = [spot for spot in spots if count[spot.text] > 1]
    unfit = [spot for spot in spots if not _can_be_core_id(spot.text)]
    by_position = bool(repeated or unfit or of_patients)
    if patients is not None:
        problems = [
            f"{sheet.cell_name(spot.place)}: {spot.text!r} isn't in {patients.where}"
            for spot in spots
            if spot.text not in patients.by_id
        ]
        remedy = (
            "correct these cells, or add them to the table of patients (a control with no "
            "patient_id)"
        )
    else:
        problems = []
        remedy = (
            "if the cells hold core ids, let each differ and be of letters, digits, '.', '_' and "
            "'-'; if they hold patients' ids, add a sheet with the columns core_id (what the "
            "cells say) and patient_id"
        )
        if repeated and len(repeated) < LEAST_REPEATED * len(spots) and not of_patients:
            problems = [
                f"{sheet.cell_name(spot.place)}: {spot.text!r} stands in {count[spot.text]} cells, "
                "but most texts stand in one"
                for spot in repeated
            ]
        elif unfit and not repeated and not of_patients:
            problems = [
                f"{sheet.cell_name(spot.place)}: {spot.text!r} can't be the id of a core"
                for spot in unfit
            ]
    if problems:
        raise sheet.refusal(problems, remedy=remedy)
    log.info(
        "slide %s: the map's cells name %s; cores are named by %s",
        slide_id,
        "patients" if by_position and patients is None else "cores",
        "slide and position" if by_position else "their cells",
    )
    drafts = []
    for spot in spots:
        patient = spot.text if by_position else None
        if patients is not None:
            patient = patients.by_id[spot.text]
        drafts.append(
            Draft(
                place=sheet.cell_name(spot.place),
                line=spot.place[0] + 1,
                slide_id=slide_id,
                row=row_label(spot.row),
                col=str(spot.col + 1),
                core_id=core_id_of(slide_id, spot.row, spot.col) if by_position else spot.text,
                patient_id=patient,
            )
        )
    return drafts


def _can_be_core_id(text: str) -> bool:
    try:
        _CORE_ID.validate_python(text)
    except ValidationError:
        return False
    return True


def _array(sheet: Sheet, headers: Headers) -> tuple[dict[Place, str], list[str]]:
    """The cells of the array, empty positions among them, and what leaves doubt."""
    top = -1 if headers.row is None else headers.row
    left = -1 if headers.column is None else headers.column
    array = {(r, c): text for (r, c), text in sheet.cells.items() if r > top and c > left}
    problems: list[str] = []
    for axis, labels, across in ((0, headers.rows, headers.columns), (1, headers.columns, {})):
        lines = _lines(array, axis)
        if labels:
            beside = headers.rows if axis else across
            notes = {n for n, line in lines.items() if _is_note(n, line, labels, beside)}
            unclear = lines.keys() - labels.keys() - notes
            why = "it has no label that counts on from the one before"
        else:
            notes, unclear = set(), doubtful(lines, titles=axis == 0)
            why = "nobody can tell whether it holds a core, or a title or note"
        for n in sorted(unclear):
            name = f"column {get_column_letter(n + 1)}" if axis else f"row {n + 1}"
            shown = ", ".join(list(lines[n].values())[:3]) + (", …" if len(lines[n]) > 3 else "")
            problems.append(f"{_in(sheet)}{name} ({shown}): {why}")
        passed = notes | unclear
        array = {place: text for place, text in array.items() if place[axis] not in passed}
    return array, problems


def _lines(array: Mapping[Place, str], axis: int) -> dict[int, dict[int, str]]:
    """The rows (axis 0) or columns (axis 1) of the array that aren't blank."""
    lines: dict[int, dict[int, str]] = {}
    for place, text in sorted(array.items()):
        lines.setdefault(place[axis], {})[place[1 - axis]] = text
    return dict(sorted(lines.items()))


def _is_note(
    number: int, line: Mapping[int, str], labels: Mapping[int, int], across: Mapping[int, int]
) -> bool:
    """Whether a line without a label is a note outside the array, or repeats the labels."""
    if number in labels:
        return False
    if len(line) == 1:
        return not min(labels) < number < max(labels)
    found = {n: parse_label(text) for n, text in line.items()}
    return all(label and across.get(n) == label.number for n, label in found.items())


def _numbers(labels: Mapping[int, int], lines: Iterable[int]) -> Mapping[int, int]:
    """What each line counts to: by its label, or without labels by those that aren't blank."""
    return labels or {line: number for number, line in enumerate(sorted(set(lines)))}


def _label_problems(sheet: Sheet, headers: Headers) -> list[str]:
    across = [(headers.row, column, number) for column, number in headers.columns.items()]
    down = [(row, headers.column, number) for row, number in headers.rows.items()]
    return [
        f"{sheet.cell_name((row, column))}: the label is 0, but rows and columns count from 1"
        for row, column, number in (*across, *down)
        if row is not None and column is not None and number < 0
    ]


def _in(sheet: Sheet) -> str:
    return "" if sheet.name is None else f"sheet {sheet.name!r}: "
