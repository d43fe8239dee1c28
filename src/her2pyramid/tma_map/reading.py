"""Read the TMA map of a slide, in whichever way the laboratory keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import MapRow, plain
from her2pyramid.sheets.opening import read_sheets
from her2pyramid.sheets.sheet import Sheet, simple
from her2pyramid.sheets.text import QUPATH_GRID
from her2pyramid.tma_map import layout
from her2pyramid.tma_map.columns import CASE, PATIENT, Kind, find_table, kind_of
from her2pyramid.tma_map.drafts import Draft
from her2pyramid.tma_map.long import read_long
from her2pyramid.tma_map.patients import REMEDY as PATIENTS_REMEDY
from her2pyramid.tma_map.patients import Patients, read_patients
from her2pyramid.tma_map.qupath import read_qupath

MAPS: Final[tuple[Kind, ...]] = ("long", "qupath", "layout")


def read_tma_map(
    path: str | Path, slide_id: str, patients: str | Path | None = None
) -> list[MapRow]:
    """Read one slide's TMA map.

    It is a table with a row a core, a sheet whose cells lie as the cores do on the slide, or what
    QuPath writes about a TMA grid; in a text file (CSV, TSV) or an Excel workbook. The content
    tells which, and docs/tma-maps.md tells users.

    Parameters
    ----------
    path
        The map. In a workbook it is the sheet named as the slide, or the only one that is a map.
    slide_id
        The slide.
    patients
        A table of the ids that the map holds and their patients, for maps that name no patients;
        None if there is none, or it is another sheet of the map's own workbook.

    Returns
    -------
    A row for each position where a core is expected, as the file has them.

    Raises
    ------
    Her2PyramidError
        If the file can't be read or understood without doubt, a position is filled twice, a core
        id is used twice, or the slide has no row. Every cell or row at fault is named.
    """
    path = Path(path)
    sheets = read_sheets(path)
    sheet, kind = _map_sheet(path, sheets, slide_id)
    whose = _patients(sheets, sheet, kind, patients)
    if kind == "long":
        drafts = read_long(sheet, slide_id, whose)
    elif kind == "qupath":
        drafts = read_qupath(sheet, slide_id, whose)
    elif path.suffix.lower() == QUPATH_GRID:
        spots = layout.read_qupath_grid(sheet)
        drafts = layout.as_drafts(spots, sheet, slide_id, whose, of_patients=True)
    else:
        drafts = layout.as_drafts(layout.read_layout(sheet), sheet, slide_id, whose)
    rows = [row for row in _checked(path, drafts) if row.slide_id == slide_id]
    if not rows:
        raise Her2PyramidError(
            f"no row for slide {slide_id!r}",
            where=path,
            remedy="check the slide_id column of the map and the tma_map column of slides.tsv",
        )
    return rows


def read_core_list(
    path: str | Path,
    slide_id: str,
    positions: Mapping[str, tuple[str, int]],
    patients: str | Path | None = None,
) -> list[MapRow]:
    """Read the patients of cores that were cropped already.

    Parameters
    ----------
    path
        A TMA map as for :func:`read_tma_map`, or a table with just core_id and patient_id.
    slide_id
        The slide.
    positions
        Row and column of each core that has a picture, for a table without positions.
    patients
        As for :func:`read_tma_map`.

    Raises
    ------
    Her2PyramidError
        As for :func:`read_tma_map`; and if a core with a picture isn't listed.
    """
    path = Path(path)
    sheets = read_sheets(path)
    if any(kind_of(sheet) in MAPS for sheet in sheets):
        rows = read_tma_map(path, slide_id, patients)
        listed = {row.core_id for row in rows}
    else:
        tables = [sheet for sheet in sheets if kind_of(sheet) == "patients"] or list(sheets)
        by_id = read_patients(tables[0]).by_id
        listed = set(by_id)
        rows = [
            MapRow(slide_id=slide_id, row=row, col=col, core_id=core_id, patient_id=by_id[core_id])
            for core_id, (row, col) in positions.items()
            if core_id in listed
        ]
    problems = [
        f"core {core} has a picture, but no row" for core in positions if core not in listed
    ]
    if problems:
        raise Her2PyramidError(
            problems,
            where=path,
            remedy="list each core with its patient; a picture's name without suffix, or what "
            "the table of pictures says, is its core_id",
        )
    return rows


def _map_sheet(path: Path, sheets: Sequence[Sheet], slide_id: str) -> tuple[Sheet, Kind]:
    """The sheet that is this slide's map, and what kind of map it is."""
    named = [s for s in sheets if simple(s.name or "") == simple(slide_id)]
    kinds = [(sheet, kind_of(sheet)) for sheet in named or sheets if named or not sheet.hidden]
    maps = [(sheet, kind) for sheet, kind in kinds if kind in MAPS]
    if len(maps) == 1:
        return maps[0]
    if len(maps) > 1:
        names = ", ".join(repr(sheet.name) for sheet, _ in maps)
        raise Her2PyramidError(
            f"each of the sheets {names} may be the map of slide {slide_id}",
            where=path,
            remedy=f"name the sheet of this slide {slide_id}",
        )
    held: dict[Kind, str] = {
        "empty": "holds nothing",
        "patients": "lists ids and patients, but no positions",
        "other": "is neither a table nor laid out as a slide: all cells are in one row or column",
    }
    raise Her2PyramidError(
        [
            f"{'the file' if sheet.name is None else f'sheet {sheet.name!r}'} {held[kind]}"
            for sheet, kind in kinds
        ],
        where=path,
        remedy="give a table with the columns slide_id, row, col, core_id and patient_id (cells "
        "separated by commas, semicolons or tabs), or a sheet laid out as the slide",
    )


def _patients(
    sheets: Sequence[Sheet], sheet: Sheet, kind: Kind, given: str | Path | None
) -> Patients | None:
    """The table of patients: the one given, else another sheet of the map's workbook."""
    table = find_table(sheet) if kind == "long" else None
    names_them = table is not None and table.find(*PATIENT, *CASE) is not None
    if given is not None:
        if names_them:
            raise sheet.refusal(
                f"the map names patients itself, and so does {given}",
                remedy="leave out either the map's column of patients or the table of patients",
            )
        sheets = read_sheets(Path(given))
        tables = [s for s in sheets if kind_of(s) == "patients"]
        if len(sheets) == 1:
            tables = list(sheets)
        if not tables:
            raise Her2PyramidError("no table of patients", where=given, remedy=PATIENTS_REMEDY)
    elif names_them:
        return None
    else:
        tables = [s for s in sheets if s is not sheet and kind_of(s) == "patients"]
    if len(tables) > 1:
        names = ", ".join(repr(table.name) for table in tables)
        raise tables[0].refusal(
            f"each of the sheets {names} may be the table of patients",
            remedy="keep one of them",
        )
    return read_patients(tables[0]) if tables else None


def _checked(path: Path, drafts: Sequence[Draft]) -> list[MapRow]:
    """The cores as rows, each position and each core id once."""
    rows: list[MapRow] = []
    problems: list[str] = []
    positions: dict[tuple[str, str, int], str] = {}
    ids: dict[str, str] = {}
    for draft in drafts:
        try:
            row = MapRow.model_validate(
                {name: getattr(draft, name) for name in MapRow.model_fields}
            )
        except ValidationError as error:
            problems += [f"{draft.place}: {plain(e)}" for e in error.errors()]
            continue
        row._line = draft.line
        rows.append(row)
        earlier = positions.setdefault((row.slide_id, row.row, row.col), draft.place)
        if earlier != draft.place:
            problems.append(
                f"{draft.place}: position {row.row}{row.col} of slide {row.slide_id} is already "
                f"in {earlier}"
            )
        earlier = ids.setdefault(row.core_id, draft.place)
        if earlier != draft.place:
            problems.append(f"{draft.place}: core_id {row.core_id!r} is already used in {earlier}")
    if problems:
        raise Her2PyramidError(
            problems,
            where=path,
            remedy="mend these cells: each position holds one core, each core id is used once in "
            "the cohort, and ids are of letters, digits, '.', '_' and '-'",
        )
    return rows
